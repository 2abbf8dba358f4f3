/**
 * Generates four images with the bundled model. Measures the time from the start of a process and of later calls, the longest block of the
 * event loop, and the time that a canceled call still takes. See README.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeImage, fromPretrained, type TextToImage } from '@dalle-mini/pipeline';
import { type Timing, timed } from './event-loop.js';
import type { BundledMeasurement } from './measurement.js';
import { median, writeReport } from './processes.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(`Usage: npm run -w benchmarks bundled -- [options]

  --rounds N              Default 5
  --threads N             Default the number of processor cores
  --out FILE              writes everything that was measured as JSON`);
  process.exit();
}
const [rounds, threads] = [Number(options.rounds), Number(options.threads)];
const prompt = 'a red apple';
const images = 4;

const { result: model, ...load } = await timed(() => fromPretrained('emoji', { threads, prepare: images }));
// What draws first compiles the VQ-GAN: the decoder was compiled for as many images while the model loaded.
const [first, ...warm] = await repeat(rounds + 1, async () => {
  const { result: drawn, ...draw } = await timed(() => model.generate(prompt, { n: images }));
  const { result: _, ...png } = await timed(() => Promise.all(drawn.map(({ image }) => encodeImage(image))));
  return { draw, png };
});
const cancel = await repeat(rounds, () => cancelled(model));
await model.dispose();

const measured: BundledMeasurement = {
  images,
  threads,
  load,
  first: first!,
  warm,
  cancel,
  process_ms: await commandTimes(),
};
printTable(measured);
if (options.out !== undefined) writeReport(options.out, measured);

async function repeat<Result>(times: number, work: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let i = 0; i < times; i++) results.push(await work());
  return results;
}

/** Cancels a call in the middle of its third row. Measures the time of a row, and the time until the call ends. */
async function cancelled(model: TextToImage): Promise<BundledMeasurement['cancel'][number]> {
  const stop = new AbortController();
  let [rowStart, rowMs, abortedAt] = [performance.now(), 0, 0];
  const onProgress = async ({ row }: { readonly row: number }) => {
    rowMs = performance.now() - rowStart;
    rowStart = performance.now();
    if (row !== 2) return;
    await delay(rowMs / 2);
    abortedAt = performance.now();
    stop.abort();
  };
  await model.generate(prompt, { n: images, signal: stop.signal, onProgress }).catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });
  return { row_ms: rowMs, ms: performance.now() - abortedAt };
}

/** Measures the command line from the start of its process to its end: four images, written as one PNG. */
async function commandTimes(): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bundled-'));
  const command = fileURLToPath(new URL('bin/dalle-mini.js', import.meta.resolve('@dalle-mini/cli/package.json')));
  try {
    return await repeat(rounds, async () => {
      const start = performance.now();
      const drawing = ['generate', prompt, '--n', String(images), '--out', join(folder, 'apple.png')];
      execFileSync(process.execPath, [command, ...drawing], { stdio: 'ignore' });
      return performance.now() - start;
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function printTable({ load, first, warm, cancel, process_ms }: BundledMeasurement): void {
  const row = (name: string, timings: readonly Timing[]) => {
    const ms = median(timings.map(({ ms }) => ms));
    const gap = Math.max(...timings.map(({ longest_gap_ms }) => longest_gap_ms));
    console.log(`| ${name} | ${ms.toFixed(0)} | ${gap.toFixed(1)} |`);
  };
  console.log(`${images} pictures, ${threads} threads\n`);
  console.log('| | median, ms | longest that the event loop was blocked, ms |\n| --- | ---: | ---: |');
  row('load', [load]);
  row('draw, first', [first.draw]);
  row('PNG, first', [first.png]);
  const draw = warm.map(({ draw }) => draw);
  row('draw', draw);
  const png = warm.map(({ png }) => png);
  row('PNG', png);
  console.log(`| the command, from its process's start | ${median(process_ms).toFixed(0)} | |`);
  const times = cancel.map(({ ms }) => ms.toFixed(0)).join(', ');
  const rows = cancel.map(({ row_ms }) => row_ms.toFixed(0)).join(', ');
  console.log(`\nCancelled in the middle of a row, calls ended after ${times} ms; rows took ${rows} ms.`);
}
