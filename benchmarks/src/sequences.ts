/**
 * Generates images with decoder-only models of the published sizes and random weights: with this project, and with their published code in
 * PyTorch, each in a separate process. Prints a comparison. See README.md.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type GenerateMeasurement, timeOf } from './measurement.js';
import { interpreterOf, pathOf, run, writeReport } from './processes.js';

const usage = `Usage: npm run -w benchmarks sequences -- --work FOLDER [options]

  --work FOLDER           where a model of random weights is made and kept: 1 GB for B, 11 GB for min-dalle-e
  --size NAME             B, L or XL of LlamaGen, or min-dalle-e. Default B
  --dtype NAME            how this project stores the weights: fp32, fp16, q8 or q4; may be given several times. Default fp32
  --images N              pictures that are drawn at once, up to 8. Default 1
  --guidance SCALE        the scale of guidance. Default 4 for LlamaGen, and 1, which is none, for min-dalle-e
  --rounds N              drawings that are timed, after one that is not. Default 1
  --threads N             threads of each side. Default the number of processor cores
  --python PATH           a Python with PyTorch; without it, only this project is measured
  --repository FOLDER     a clone of FoundationVision/LlamaGen or kakaobrain/minDALL-E
  --out FILE              writes everything that was measured as JSON`;

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    size: { type: 'string', default: 'B' },
    dtype: { type: 'string', multiple: true, default: ['fp32'] },
    images: { type: 'string', default: '1' },
    guidance: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string' },
    repository: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const { size, images, rounds, threads } = options;
if (options.help || options.work === undefined || !['B', 'L', 'XL', 'min-dalle-e'].includes(size)) {
  console.log(usage);
  process.exit(options.help ? 0 : 2);
}
const isMinDalleE = size === 'min-dalle-e';
const guidance = options.guidance ?? (isMinDalleE ? '1' : '4');
const model = join(pathOf(options.work), size);
if (!existsSync(model)) run(process.execPath, 'random-sequence.js', { size, folder: model });

const shared = { images, rounds, threads, guidance };
const prompt = isMinDalleE ? 'a red apple' : '207';
const measured = options.dtype.map((dtype) =>
  run<GenerateMeasurement>(process.execPath, 'sequences-here.js', { ...shared, model, prompt, dtype }),
);
if (options.python !== undefined && options.repository !== undefined) {
  const program = `../peers/generate_${isMinDalleE ? 'min_dalle_e' : 'llama_gen'}.py`;
  const given = { ...shared, repository: pathOf(options.repository), size };
  measured.push(run(interpreterOf(options.python), program, given));
}

const secondsOf = (milliseconds: number | undefined) =>
  milliseconds === undefined ? '' : (milliseconds / 1000).toFixed(2);
console.log(`${size}, ${images} at once, guidance ${guidance}, ${threads} threads, seconds\n`);
console.log(`| | ${measured.map(({ engine, dtype = '' }) => `${engine} ${dtype}`.trim()).join(' | ')} |`);
console.log(`| --- | ${measured.map(() => '---:').join(' | ')} |`);
for (const stage of Object.keys(measured[0]!.rounds[0]!))
  console.log(`| ${stage} | ${measured.map((one) => secondsOf(timeOf(one, stage))).join(' | ')} |`);
console.log(`| load | ${measured.map(({ load_ms }) => secondsOf(load_ms)).join(' | ')} |`);
console.log(`| peak memory, GB | ${measured.map(({ peak_rss_mb }) => (peak_rss_mb / 1024).toFixed(2)).join(' | ')} |`);
if (options.out !== undefined) writeReport(options.out, { size, ...shared, measured });
