/**
 * Compares a masked decoder with DALL·E Mini's of the same size, and aMUSEd's decoder with that of diffusers: the time of 256 tokens of one
 * guided image or more, with random weights, each in a separate process. See README.md.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type GenerateMeasurement, timeOf } from './measurement.js';
import { interpreterOf, pathOf, run, writeReport } from './processes.js';

const usage = `Usage: npm run -w benchmarks masked -- --work FOLDER [options]

  --work FOLDER   where random weights are made and kept: 5 GB
  --passes N      passes of masked decoders; may be given several times. Default 8
  --images N      pictures that are drawn at once. Default 1
  --rounds N      drawings that are timed, after one that is not. Default 1
  --threads N     threads of each side. Default the number of processor cores
  --python PATH   a Python with PyTorch and diffusers; without it, only this project is measured
  --out FILE      writes everything that was measured as JSON`;

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    passes: { type: 'string', multiple: true, default: ['8'] },
    images: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.work === undefined) {
  console.log(usage);
  process.exit(options.help ? 0 : 2);
}

const { images, rounds, threads } = options;
const work = pathOf(options.work);
const shared = { images, threads, rounds };
const here = (model: string, passes?: string) =>
  run<GenerateMeasurement>(process.execPath, 'masked-here.js', { work, model, ...(passes && { passes }), ...shared });
const rows = [{ name: 'autoregressive', passes: 256, measured: here('autoregressive') }];
for (const passes of options.passes) {
  rows.push({ name: 'masked, of the same size', passes: Number(passes), measured: here('masked', passes) });
  rows.push({ name: 'aMUSEd', passes: Number(passes), measured: here('amused', passes) });
  if (options.python === undefined) continue;
  const measured = run<GenerateMeasurement>(interpreterOf(options.python), '../peers/generate_diffusers.py', {
    passes,
    ...shared,
  });
  rows.push({ name: 'aMUSEd, diffusers', passes: Number(passes), measured });
}

console.log(`256 tokens, guided, ${images} at once, ${threads} threads\n`);
console.log('| decoder | passes | seconds | ms a pass | peak memory, GB |\n| --- | ---: | ---: | ---: | ---: |');
for (const { name, passes, measured } of rows) {
  const time = timeOf(measured, '256 tokens')!;
  const memory = (measured.peak_rss_mb / 1024).toFixed(2);
  console.log(`| ${name} | ${passes} | ${(time / 1000).toFixed(2)} | ${(time / passes).toFixed(1)} | ${memory} |`);
}
if (options.out !== undefined) writeReport(options.out, { images, rounds, threads, rows });
