/** The page and the worker of browser.ts. */
import { openInWorker, type TextToImageInWorker } from '@dalle-mini/pipeline/browser/client';
import { serveModels } from '@dalle-mini/pipeline/browser/worker';
import type { BrowserMeasurement, BrowserTask } from './measurement.js';

declare class Worker {
  constructor(url: string, options: { type: 'module' });
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  terminate(): void;
}

declare const document: unknown;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The longest time between two frames while something runs. */
function watchFrames(): () => number {
  const { requestAnimationFrame } = globalThis as unknown as { requestAnimationFrame(callback: () => void): void };
  let [last, longest, stopped] = [performance.now(), 0, false];
  const frame = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!stopped) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return () => {
    stopped = true;
    return longest;
  };
}

async function measure({
  images,
  rounds,
  ...options
}: BrowserTask): Promise<Omit<BrowserMeasurement, 'bytes' | 'peak_rss_mb'>> {
  const worker = new Worker('/browser-page.js', { type: 'module' });
  const frames = watchFrames();
  let model: TextToImageInWorker | undefined;
  const open_ms = await timed(async () => {
    model = await openInWorker(worker, '/model/', { ...options, wasmPaths: '/ort/', prepare: images });
  });
  const rows: number[] = [];
  const generate = (seed: number) => {
    let last = performance.now();
    return model!.generate('a red apple', {
      n: images,
      seed,
      onProgress: () => {
        rows.push(performance.now() - last);
        last = performance.now();
      },
    });
  };
  const first_ms = await timed(() => generate(0));
  const generate_ms: number[] = [];
  for (let round = 1; round <= rounds; round++) generate_ms.push(await timed(() => generate(round)));
  const row_ms = Math.min(...rows);
  const { gridSize } = model!.imageTokenizer;
  const longest_frame_ms = frames();
  worker.terminate();
  return { open_ms, first_ms, generate_ms, row_ms, token_ms: row_ms / gridSize, longest_frame_ms };
}

if (typeof document === 'undefined') serveModels();
else Object.assign(globalThis, { measure });
