/**
 * Measures how long a model of a published size with random weights takes to start: the first load, which converts the published files, and
 * later loads, from the start of a process to the first tokens. Also measures the memory of loading. See README.md.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { StartMeasurement } from './measurement.js';
import { pathOf, randomModels, run, writeReport } from './processes.js';

const usage = `Usage: npm run -w benchmarks start -- --work FOLDER [options]

  --work FOLDER           where models of random weights are made and kept
  --size NAME             mini or mega. Default mini
  --dtype NAME            fp32, fp16, q8 or q4; may be given several times. Default fp32
  --rounds N              starts that are timed: the median one counts. Default 5
  --threads N             Default the number of processor cores
  --out FILE              writes everything that was measured as JSON`;

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    size: { type: 'string', default: 'mini' },
    dtype: { type: 'string', multiple: true, default: ['fp32'] },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.work === undefined || !['mini', 'mega'].includes(options.size)) {
  console.log(usage);
  process.exit(options.help ? 0 : 2);
}
const { size, threads } = options;
const models = randomModels(pathOf(options.work), size);
const results = options.dtype.map((dtype) => {
  const start = (draw: boolean) =>
    run<StartMeasurement>(process.execPath, 'start-here.js', { ...models, dtype, threads, draw: String(draw) });
  const loaded = start(false);
  const starts = Array.from({ length: Number(options.rounds) }, () => start(true));
  starts.sort((a, b) => a.first_token_ms! - b.first_token_ms!);
  return { dtype, ...(loaded.converted ? { conversion: loaded } : {}), start: starts[(starts.length - 1) >> 1]! };
});

const seconds = (ms: number | undefined) => (ms === undefined ? '' : (ms / 1000).toFixed(2));
const gigabytes = (measured: StartMeasurement | undefined) =>
  measured ? (measured.load_peak_rss_mb / 1024).toFixed(2) : '';
console.log(`${size}, ${threads} threads; seconds from the start of the process\n`);
console.log(
  '| dtype | first load, converting | its peak memory, GB | load | its peak memory, GB | first token | first row |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const { dtype, conversion, start } of results) {
  const cells = [
    seconds(conversion?.load_ms),
    gigabytes(conversion),
    seconds(start.load_ms),
    gigabytes(start),
    seconds(start.first_token_ms),
    seconds(start.first_row_ms),
  ];
  console.log(`| ${dtype} | ${cells.join(' | ')} |`);
}
if (options.out !== undefined) writeReport(options.out, { size, threads, results });
