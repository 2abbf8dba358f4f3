/**
 * Trains the same small models with this project, on ONNX Runtime or XLA, and with PyTorch, one after the other in separate processes. Prints a comparison.
 * See README.md.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Measurement } from './measurement.js';
import type { ModelName } from './models.js';
import { interpreterOf, median, pathOf, run } from './processes.js';

const usage = `Usage: npm run -w benchmarks training -- [options]

  --python PATH           a Python with PyTorch; without it, only this project is measured
  --runtime NAME          onnxruntime, xla or tfjs; may be given several times. Default onnxruntime
  --tfjs-node FOLDER      a folder whose node_modules holds @tensorflow/tfjs-node; needed by tfjs
  --only MODEL            decoder, vqgan or vqgan-adversarial. Default all
  --rounds N              how often everything is run, in turn. Default 3
  --steps N               steps that are timed in a run, a multiple of --steps-per-run. Default 20
  --steps-per-run N       steps that one call of this project's training graph takes. Default 5
  --threads N             threads of each side. Default the number of processor cores
  --out FILE              writes everything that was measured as JSON`;

const runtimeNames = ['onnxruntime', 'xla', 'tfjs'];
const modelNames: readonly ModelName[] = ['decoder', 'vqgan', 'vqgan-adversarial'];
/** PyTorch's program of each model. */
const peerPrograms: Readonly<Record<ModelName, readonly [file: string, settings: Readonly<Record<string, string>>]>> = {
  decoder: ['train_decoder.py', {}],
  vqgan: ['train_vqgan.py', {}],
  'vqgan-adversarial': ['train_vqgan.py', { losses: 'adversarial' }],
};

const options = parseOptions();
if (options.help) {
  console.log(usage);
  process.exit();
}

const rounds = positive('rounds');
const steps = positive('steps');
const stepsPerRun = positive('steps-per-run');
const threads = positive('threads');
/** Warm-up steps, the same on every side: whole runs of the graph, and at least three steps. */
const warmup = stepsPerRun * Math.ceil(3 / stepsPerRun);
const models = options.only === undefined ? modelNames : modelNames.filter((name) => name === options.only);
if (models.length === 0) fail(`--only must be one of ${modelNames.join(', ')}, not ${options.only}`);
if (steps % stepsPerRun !== 0) fail(`--steps ${steps} must be a multiple of --steps-per-run ${stepsPerRun}`);
for (const name of options.runtime) {
  if (!runtimeNames.includes(name)) fail(`--runtime must be ${runtimeNames.join(' or ')}, not ${name}`);
}
if (options.runtime.includes('tfjs') && options['tfjs-node'] === undefined)
  fail('--runtime tfjs needs --tfjs-node: see docs/tfjs-node.md');

/** A program that prints a measurement. */
type Contender = (model: ModelName) => Measurement;

const shared = { steps: String(steps), warmup: String(warmup), threads: String(threads) };
const here: Contender[] = options.runtime.map((runtime) => (model) => {
  const tfjsNode: Record<string, string> =
    options['tfjs-node'] === undefined ? {} : { 'tfjs-node': pathOf(options['tfjs-node']) };
  const own = { model, runtime, 'steps-per-run': String(stepsPerRun), ...tfjsNode };
  return run(process.execPath, 'train-here.js', { ...own, ...shared });
});
const { python } = options;
const peers: Contender[] =
  python === undefined
    ? []
    : [
        (model) => {
          const [file, settings] = peerPrograms[model];
          return run(interpreterOf(python), `../peers/${file}`, { ...settings, ...shared });
        },
      ];

const results = models.map((model) => ({ model, rounds: Array.from({ length: rounds }, (_, i) => round(model, i)) }));
for (const { model, rounds: measured } of results) printTable(model, measured);
if (options.out !== undefined) {
  const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), platform: process.platform };
  const settings = { rounds, steps, stepsPerRun, warmup, threads };
  const report = { date: new Date().toISOString(), machine, node: process.version, settings, results };
  writeFileSync(pathOf(options.out), `${JSON.stringify(report, undefined, 2)}\n`);
}

interface Round {
  /** The load average of the last minute. On a quiet machine it is about the number of processes that have just run. */
  readonly load: number;
  readonly here: readonly Measurement[];
  readonly peers: readonly Measurement[];
}

function round(model: ModelName, index: number): Round {
  const take = (contender: Contender) => {
    const measurement = contender(model);
    console.error(`${model}, round ${index + 1} of ${rounds}: ${summary(measurement)}`);
    return measurement;
  };
  return { load: loadavg()[0]!, here: here.map(take), peers: peers.map(take) };
}

function printTable(model: ModelName, measured: readonly Round[]): void {
  const columns = [...here.keys()].map((i) => measured.map((round) => round.here[i]!));
  const peerColumns = [...peers.keys()].map((i) => measured.map((round) => round.peers[i]!));
  const rows = [...columns, ...peerColumns].map((column) => {
    const { engine, losses } = column[0]!;
    return [
      engine,
      median(column.map((run) => run.per_second)).toFixed(1),
      median(column.map((run) => run.step_ms)).toFixed(0),
      median(column.map((run) => run.peak_rss_mb)).toFixed(0),
      `${losses[0]!.toFixed(3)} → ${losses.at(-1)!.toFixed(3)}`,
      ...peerColumns.map((peer) => (peer === column ? '' : ratioText(column, peer))),
    ];
  });
  const { unit } = columns[0]![0]!;
  const ratios = peerColumns.map((peer) => `speed ÷ ${peer[0]!.engine}`);
  console.log(`\n${model}: ${rounds} rounds of ${steps} steps after ${warmup} of warm-up, ${threads} threads\n`);
  printRows([['', `${unit}/s`, 'step, ms', 'peak RSS, MB', 'loss', ...ratios], ...rows]);
  const [first, ...others] = columns;
  for (const other of others) {
    const difference = Math.max(...[0, 1].map((step) => relativeDifference(first!, other, step)));
    const names = `${first![0]!.engine} and ${other[0]!.engine}`;
    console.log(`\nThe losses of the first two steps differ by ${difference.toExponential(1)} between ${names}.`);
  }
}

/** Compares the speed with a peer's in the same round: the median, the minimum and the maximum over the rounds. */
function ratioText(column: readonly Measurement[], peer: readonly Measurement[]): string {
  const ratios = column.map((run, i) => run.per_second / peer[i]!.per_second);
  const [least, middle, largest] = [Math.min(...ratios), median(ratios), Math.max(...ratios)];
  return `${middle.toFixed(2)} (${least.toFixed(2)} to ${largest.toFixed(2)})`;
}

function relativeDifference(a: readonly Measurement[], b: readonly Measurement[], step: number): number {
  const [lossA, lossB] = [a[0]!.losses[step]!, b[0]!.losses[step]!];
  return Math.abs(lossA - lossB) / lossA;
}

function printRows(rows: readonly string[][]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const [head, ...body] = rows;
  console.log([line(head!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n'));
}

function summary({ engine, unit, per_second, step_ms, peak_rss_mb }: Measurement): string {
  return `${engine} ${per_second.toFixed(1)} ${unit}/s, ${step_ms.toFixed(0)} ms a step, ${peak_rss_mb.toFixed(0)} MB`;
}

function parseOptions() {
  try {
    return parseArgs({
      options: {
        python: { type: 'string' },
        runtime: { type: 'string', multiple: true, default: ['onnxruntime'] },
        'tfjs-node': { type: 'string' },
        only: { type: 'string' },
        rounds: { type: 'string', default: '3' },
        steps: { type: 'string', default: '20' },
        'steps-per-run': { type: 'string', default: '5' },
        threads: { type: 'string', default: String(availableParallelism()) },
        out: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail((error as Error).message);
  }
}

function positive(name: 'rounds' | 'steps' | 'steps-per-run' | 'threads'): number {
  const value = Number(options[name]);
  if (!(Number.isSafeInteger(value) && value > 0))
    fail(`--${name} must be a positive whole number, not ${options[name]}`);
  return value;
}

function fail(problem: string): never {
  console.error(`${problem}\n\n${usage}`);
  process.exit(1);
}
