/** The bundled model, in a worker of this browser. */
import { fromTimeToTime } from '@dalle-mini/core';
import { files } from '@dalle-mini/emoji';
import { openInWorker, type TextToImageInWorker, WorkerError } from '@dalle-mini/pipeline/browser/client';
import type { GenerateProgress } from '@dalle-mini/pipeline/text-to-image';
import { urlOfPixels } from '../images.js';
import type { Request } from '../request.js';
import { emojiFacts } from './emoji.js';
import { type GenerateCall, type LoadOptions, type Model, ModelLostError, type ModelSource } from './model.js';

/** Least milliseconds between previews, since the next row waits for a preview. */
const previewInterval = 200;

/** Bytes of ONNX Runtime and of the programs. */
const programBytes = 15e6;

export const source: ModelSource = {
  place: 'browser',
  bytes: files.reduce((sum, { size }) => sum + size, programBytes),
  facts: emojiFacts,
  open,
  createTrainer: () => new Worker(new URL('../training/worker.ts', import.meta.url), { type: 'module' }),
};

async function open({ signal, onProgress }: LoadOptions): Promise<Model> {
  await controlled();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  try {
    const threads = Math.min(4, navigator.hardwareConcurrency);
    const model = await openInWorker(worker, 'emoji', { threads, prepare: 8, signal, onProgress });
    return inBrowser(model, worker);
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

function inBrowser(model: TextToImageInWorker, worker: Worker): Model {
  const { imageTokenizer, sampling } = model;
  const { imageSize, gridSize, vocabularySize } = imageTokenizer;
  return {
    facts: { ...emojiFacts, imageSize, gridSize, vocabularySize, sampling },
    async generate({ prompt, ...options }: Request, { signal, onUpdate }: GenerateCall) {
      const onProgress = rowReporter(onUpdate);
      const images = await model.generate(prompt, { ...options, signal, onProgress }).catch((error) => {
        if (!WorkerError.isInstance(error)) throw error;
        worker.terminate();
        throw new ModelLostError(
          'The model has ended, perhaps because memory was full. Generate again to start it again.',
        );
      });
      return images.map(({ index, image, tokens, score, warnings }) => ({
        index,
        url: urlOfPixels(image),
        tokens: [...tokens],
        score,
        warnings,
      }));
    },
    decode: async (grids) => (await imageTokenizer.decode(grids.map((grid) => Int32Array.from(grid)))).map(urlOfPixels),
    async encode({ width, height, data }) {
      const [tokens] = await imageTokenizer.encode([{ width, height, data: data.filter((_, i) => i % 4 < 3) }]);
      return [...tokens!];
    },
  };
}

function rowReporter(onUpdate: GenerateCall['onUpdate']) {
  const paced = fromTimeToTime(previewInterval);
  return async ({ done, total, row, rows, firstIndex, preview }: GenerateProgress): Promise<void> => {
    const previews = row < rows ? await paced(async () => (await preview()).map(urlOfPixels)) : undefined;
    onUpdate({ fraction: done / total, batch: { firstIndex, fraction: row / rows }, previews });
  };
}

/** Waits for the service worker, at most for a few seconds, so that it keeps what the worker of the model loads. */
async function controlled(): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker || serviceWorker.controller || !import.meta.env.PROD) return;
  await Promise.race([
    new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve, { once: true })),
    new Promise((resolve) => setTimeout(resolve, 3000)),
  ]);
}
