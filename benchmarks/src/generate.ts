/**
 * Generates images with this project, with min-dalle and with Hugging Face transformers, each in a separate process, from models of the
 * published sizes with random weights. Prints a comparison. See README.md.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Machine } from './machine.js';
import { type GenerateMeasurement, timeOf } from './measurement.js';
import { interpreterOf, pathOf, randomModels, run, writeReport } from './processes.js';
import { rooflineOf } from './work.js';

const usage = `Usage: npm run -w benchmarks generate -- --work FOLDER [options]

  --work FOLDER           where models of random weights are made and kept: 4 GB for mini, 16 GB for mega
  --size NAME             mini or mega. Default mini
  --dtype NAME            how this project stores the weights: fp32, fp16, q8 or q4; may be given several times. Default fp32
  --images N              pictures that are drawn at once; may be given several times. Default 1
  --rounds N              drawings that are timed, after one that is not. Default 1
  --threads N             threads of each side. Default the number of processor cores
  --python PATH           a Python with PyTorch and transformers; without it, only this project is measured
  --min-dalle FOLDER      a clone of kuprel/min-dalle
  --out FILE              writes everything that was measured as JSON`;

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    size: { type: 'string', default: 'mini' },
    dtype: { type: 'string', multiple: true, default: ['fp32'] },
    images: { type: 'string', multiple: true, default: ['1'] },
    rounds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string' },
    'min-dalle': { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.work === undefined || !['mini', 'mega'].includes(options.size)) {
  console.log(usage);
  process.exit(options.help ? 0 : 2);
}
const secondsOf = (milliseconds: number) => (milliseconds / 1000).toFixed(milliseconds < 10 ? 4 : 2);

const { size, rounds, threads } = options;
const models = randomModels(pathOf(options.work), size);
const results = options.images.map((images) => {
  const machine = run<Machine>(process.execPath, 'machine.js', { threads });
  console.log(
    `${(machine.bytesPerSecond / 1e9).toFixed(1)} GB/s of weights, ${(machine.flopsPerSecond / 1e9).toFixed(0)} GFLOP/s, ${threads} threads\n`,
  );
  const measured = options.dtype.map((dtype) => {
    const shared = { ...models, dtype, images, threads, rounds };
    return run<GenerateMeasurement>(process.execPath, 'generate-here.js', shared);
  });
  if (options.python !== undefined) {
    const python = interpreterOf(options.python);
    const shared = { size, images, threads, rounds };
    if (options['min-dalle'] !== undefined) {
      const repository = pathOf(options['min-dalle']);
      measured.push(run(python, '../peers/generate_min_dalle.py', { repository, ...shared }));
    }
    measured.push(run(python, '../peers/generate_transformers.py', shared));
  }
  printTable(images, machine, measured);
  return { images: Number(images), machine, measured };
});
if (options.out !== undefined) writeReport(options.out, { size, rounds, threads, results });

function printTable(images: string, machine: Machine, measured: readonly GenerateMeasurement[]): void {
  const stages = [
    ...new Set(measured.flatMap(({ rounds, parts = {} }) => [...Object.keys(rounds[0]!), ...Object.keys(parts)])),
  ];
  const [here] = measured;
  const cell = (measurement: GenerateMeasurement, stage: string) => {
    const [time, own, work] = [timeOf(measurement, stage), timeOf(here!, stage), measurement.work?.[stage]];
    if (time === undefined) return '';
    const notes = [
      ...(measurement === here || own === undefined ? [] : [`${(time / own).toFixed(2)}×`]),
      ...(work ? [`at least ${secondsOf(rooflineOf(work, machine))}`] : []),
    ];
    return notes.length > 0 ? `${secondsOf(time)} (${notes.join(', ')})` : secondsOf(time);
  };
  console.log(`${size}, ${images} at once, seconds (and how many times the first's, and the machine's least)\n`);
  console.log(`| | ${measured.map(({ engine, dtype = '' }) => `${engine} ${dtype}`.trim()).join(' | ')} |`);
  console.log(`| --- | ${measured.map(() => '---:').join(' | ')} |`);
  for (const stage of stages)
    console.log(`| ${stage} | ${measured.map((measurement) => cell(measurement, stage)).join(' | ')} |`);
  console.log(`| load | ${measured.map(({ load_ms }) => secondsOf(load_ms)).join(' | ')} |`);
  console.log(
    `| peak memory, GB | ${measured.map(({ peak_rss_mb }) => (peak_rss_mb / 1024).toFixed(2)).join(' | ')} |\n`,
  );
}
