/**
 * Decodes and encodes images with a VQ-GAN of the published size and random weights, alternately here and in PyTorch, each in a separate
 * process. Prints a comparison. See README.md.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { decodeGraph, encodeGraph, vqganPresets } from '@dalle-mini/vqgan';
import type { Machine } from './machine.js';
import type { TokenizeMeasurement } from './measurement.js';
import { interpreterOf, median, run, writeReport } from './processes.js';
import { flopsOf } from './work.js';

const usage = `Usage: npm run -w benchmarks tokenize -- [options]

  --python PATH           a Python with PyTorch; without it, only this project is measured
  --task TASK             decode or encode. Default both
  --rounds N              processes of each side, in turns. Default 3
  --calls N               calls that a process times, after one that it does not. Default 3
  --threads N             threads of each side. Default the number of processor cores
  --out FILE              writes everything that was measured as JSON`;

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    task: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    calls: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(usage);
  process.exit();
}
const { python, calls, threads } = options;
const tasks = [
  { task: 'decode', dtype: 'fp32', images: 1, graph: decodeGraph },
  { task: 'decode', dtype: 'fp16', images: 1, graph: decodeGraph },
  { task: 'encode', dtype: 'fp32', images: 8, graph: encodeGraph },
] as const;

const machine = run<Machine>(process.execPath, 'machine.js', { threads });
const chosen = tasks.filter(({ task }) => options.task === undefined || task === options.task);
const results = chosen.map(({ task, dtype, images, graph }) => {
  const shared = { task, images: String(images), threads, calls };
  const rounds = Array.from({ length: Number(options.rounds) }, () => {
    const here = run<TokenizeMeasurement>(process.execPath, 'tokenize-here.js', { ...shared, dtype });
    if (python === undefined) return [here];
    return [here, run<TokenizeMeasurement>(interpreterOf(python), '../peers/tokenize_taming.py', shared)];
  });
  // The same in every round: weights and tokens have fixed seeds.
  const { psnr, pixel_deviation } = rounds[0]![0]!;
  const gflops = (images * flopsOf(graph(vqganPresets['f16-16384']))) / 1e9;
  return { task, dtype, images, gflops, psnr, pixel_deviation, rounds };
});

const peak = machine.flopsPerSecond / 1e9;
console.log(
  `256 × 256 pixels, computed in float32, ${threads} threads; products of matrices reach ${peak.toFixed(0)} GFLOP/s\n`,
);
console.log(
  '| | weights | images | GFLOP | engine | ms | GFLOP/s | of products | peak memory, GB | speed ÷ PyTorch | PSNR |',
);
console.log('| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |');
for (const { task, dtype, images, gflops, psnr, pixel_deviation, rounds } of results) {
  /** Returns the median time of one side's calls in a round. */
  const times = (side: number) => rounds.map((round) => median(round[side]!.rounds.map((call) => call[task]!)));
  for (const [side, { engine }] of rounds[0]!.entries()) {
    const milliseconds = median(times(side));
    const speed = gflops / (milliseconds / 1000);
    const memory = median(rounds.map((round) => round[side]!.peak_rss_mb)) / 1024;
    const ratios = python !== undefined && side === 0 ? times(0).map((own, i) => times(1)[i]! / own) : [];
    const cells = [
      `${task} | ${side === 0 ? dtype : 'fp32'} | ${images} | ${gflops.toFixed(0)} | ${engine} | ${milliseconds.toFixed(0)} | ${speed.toFixed(0)}`,
      `${((100 * speed) / peak).toFixed(0)} % | ${memory.toFixed(2)}`,
      ratios.length > 0
        ? `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`
        : '',
      side === 0 && psnr !== undefined
        ? `${psnr === null ? 'equal' : `${psnr.toFixed(1)} dB`}, of pixels that deviate by ${pixel_deviation!.toFixed(0)}`
        : '',
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
printProjection();
if (options.out !== undefined) writeReport(options.out, { machine, threads, results });

/** Prints how long the images of Conceptual 12M take on machines like this one, each of which encodes its share of the shards. */
function printProjection(): void {
  const encoding = results.find(({ task }) => task === 'encode');
  if (encoding === undefined) return;
  const { images, rounds } = encoding;
  const milliseconds = median(rounds.flatMap(([here]) => here!.rounds.map(({ encode }) => encode!)));
  const perSecond = (1000 * images) / milliseconds;
  const days = (machines: number) => 12e6 / perSecond / machines / 86_400;
  const projected = [1, 8, 64].map((machines) => `${days(machines).toFixed(1)} days on ${machines}`);
  console.log(
    `\nEncodes ${perSecond.toFixed(2)} images a second. 12 million images: ${projected.join(', ')} of such machines.`,
  );
}
