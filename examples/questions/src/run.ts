/**
 * Runs the cells of the study that have no result yet: `npm run study -- FOLDER [--question ID] [--variant NAME] [--seed N] [--threads N] [--list]`.
 * With `--small` every cell takes seconds, which shows that it runs.
 * It may be stopped at any time, and resumes with the checkpoint of the run that it was in.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { readResult, runCell } from './cell.js';
import { openData } from './data.js';
import { pathOf, questions, seeds, type Variant } from './grid.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    question: { type: 'string' },
    variant: { type: 'string' },
    seed: { type: 'string' },
    threads: { type: 'string', default: '1' },
    list: { type: 'boolean' },
    small: { type: 'boolean' },
  },
});
const folder = resolve(positionals[0] ?? (values.small ? 'output/small' : 'runs/questions'));

interface Cell {
  readonly question: string;
  readonly variant: Variant;
  readonly seed: number;
  readonly path: string;
}

// Seed by seed, so that a study that is stopped has compared all variants.
const cells = questions.flatMap((question) =>
  seeds.flatMap((seed) =>
    question.variants.map(
      (variant): Cell => ({
        question: question.id,
        variant,
        seed,
        path: join(folder, pathOf(question, variant, seed)),
      }),
    ),
  ),
);
const chosen = cells.filter(
  ({ question, variant, seed }) =>
    (values.question === undefined || question === values.question) &&
    (values.variant === undefined || variant.name === values.variant) &&
    (values.seed === undefined || `${seed}` === values.seed),
);
if (chosen.length === 0) {
  console.error('No cell has this question, variant and seed. Show them all with --list.');
  process.exit(2);
}

const describe = ({ question, variant, seed }: Cell) => `${question}, ${variant.name}, seed ${seed}`;
if (values.list) {
  for (const cell of chosen) console.log(`${describe(cell)}: ${(await readResult(cell.path)) ? 'has run' : 'to run'}`);
  process.exit(0);
}

const runtime = new OnnxRuntime({ threads: Number(values.threads) });
const data = await openData(folder, runtime);
for (const cell of chosen) {
  if (await readResult(cell.path)) continue;
  const { variant, seed, path } = cell;
  const { loss, top1, top5, seconds } = await runCell(variant, { seed, folder: path, data, runtime });
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  console.log(
    `${describe(cell)}: loss ${loss.toFixed(4)}, top-1 ${percent(top1)}, top-5 ${percent(top5)}, ${seconds.toFixed(0)} s`,
  );
}
await Promise.all([runtime.dispose(), data.emoji.close()]);
