/**
 * Runs the cells of the study that have no result yet: `npm run study -- FOLDER [--question ID] [--run NAME] [--seed N] [--threads N] [--list]`.
 * Results are in `results`; FOLDER gets images, tokens and checkpoints. With `--small` every cell takes seconds, which shows that it runs, and its
 * results are in FOLDER. It may be stopped at any time, and starts the run again that it was in.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { readResult, runCell } from './cell.js';
import { openData } from './data.js';
import { TextEncoders } from './encoders.js';
import { questions, type Run, type RunName, runs, seeds } from './grid.js';
import { resultPath, resultsFolder } from './results.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    question: { type: 'string' },
    run: { type: 'string' },
    seed: { type: 'string' },
    threads: { type: 'string', default: '1' },
    list: { type: 'boolean' },
    small: { type: 'boolean' },
  },
});
const folder = resolve(positionals[0] ?? (values.small ? 'output/small' : 'runs/questions'));
const results = values.small ? join(folder, 'results') : resultsFolder;

const answering = new Set(
  questions.flatMap(({ id, variants }) => (id === values.question ? variants.map(({ run }) => run) : [])),
);
// Seed by seed, so that a study that is stopped has compared all variants.
const cells = seeds
  .flatMap((seed) => (Object.keys(runs) as RunName[]).map((name) => ({ name, seed })))
  .filter(
    ({ name, seed }) =>
      (values.question === undefined || answering.has(name)) &&
      (values.run === undefined || name === values.run) &&
      (values.seed === undefined || `${seed}` === values.seed),
  );
if (cells.length === 0) {
  console.error('No cell has this question, run and seed. Show them all with --list.');
  process.exit(2);
}
if (values.list) {
  for (const { name, seed } of cells) {
    const has = await readResult(resultPath(results, name, seed));
    console.log(`${name}, seed ${seed}: ${has ? 'has run' : 'to run'}`);
  }
  process.exit(0);
}

const runtime = new OnnxRuntime({ threads: Number(values.threads) });
const data = await openData(folder, runtime);
const encoders = new TextEncoders(data, join(folder, 'encoders'), runtime);
await mkdir(results, { recursive: true });
for (const { name, seed } of cells) {
  const result = resultPath(results, name, seed);
  if (await readResult(result)) continue;
  const run: Run = runs[name];
  if (!(await encoders.has(run.text?.encoder ?? 'all-MiniLM-L6-v2'))) {
    console.log(`${name}: left out, because ${folder}/encoders lacks its text encoder. Make it with encoders.py.`);
    continue;
  }
  const checkpoints = join(folder, name, `${seed}`);
  await rm(checkpoints, { recursive: true, force: true });
  const { loss, generations, secondsPerStep } = await runCell(run, {
    seed,
    folder: checkpoints,
    result,
    data,
    encoders,
    runtime,
  });
  await rm(checkpoints, { recursive: true, force: true });
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const shares = Object.entries(generations).map(
    ([key, { top1, top5 }]) => `${key} top-1 ${percent(top1)} top-5 ${percent(top5)}`,
  );
  console.log(
    `${name}, seed ${seed}: loss ${loss.toFixed(4)}, ${(1000 * secondsPerStep).toFixed(0)} ms a step, ${shares.join(', ')}`,
  );
}
await Promise.all([runtime.dispose(), data.emoji.close()]);
