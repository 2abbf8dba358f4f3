/** The page and the worker of browser.ts. */
import { openInWorker } from '@dalle-mini/pipeline/browser/client';
import { serveModels } from '@dalle-mini/pipeline/browser/worker';
import type { BrowserTask, BrowserTimes, EncodeTask, StepTask } from './measurement.js';
import { median } from './median.js';

declare class Worker {
  constructor(url: string, options: { type: 'module' });
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  terminate(): void;
}

declare const document: unknown;

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

async function measure({ model: path, rounds, ...options }: BrowserTask): Promise<BrowserTimes> {
  const worker = new Worker('/browser-page.js', { type: 'module' });
  const frames = watchFrames();
  const start = performance.now();
  const model = await openInWorker(worker, path, { ...options, wasmPaths: '/ort/' });
  const open_ms = performance.now() - start;
  const rows: number[] = [];
  const generate = async (seed: number) => {
    const before = performance.now();
    let last = before;
    await model.generate('a red apple', {
      seed,
      onProgress: () => {
        rows.push(performance.now() - last);
        last = performance.now();
      },
    });
    return performance.now() - before;
  };
  await generate(0);
  // The clock of a page starts when its address is opened.
  const first_image_ms = performance.now();
  const generate_ms: number[] = [];
  if (rounds > 0) rows.length = 0;
  for (let round = 1; round <= rounds; round++) generate_ms.push(await generate(round));
  const token_ms = median(rows) / model.imageTokenizer.gridSize;
  const longest_frame_ms = frames();
  worker.terminate();
  return { first_image_ms, open_ms, generate_ms, token_ms, longest_frame_ms };
}

/** Runs a task of `browser-tasks.ts` in a new worker. */
function runTask(name: string, options: EncodeTask | StepTask): Promise<unknown> {
  const worker = new Worker('/browser-tasks.js', { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }: { data: { value?: unknown; error?: string } }) => {
      if (data.error === undefined) resolve(data.value);
      else reject(new Error(data.error));
      worker.terminate();
    });
    worker.addEventListener('error', ({ message }: { message: string }) => reject(new Error(message)));
    worker.postMessage({ name, options });
  });
}

if (typeof document === 'undefined') serveModels();
else Object.assign(globalThis, { measure, runTask });
