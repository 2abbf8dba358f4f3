/** The program of browser.test.ts, which runs in a browser. */
import {
  encodeImage,
  type FromPretrainedOptions,
  fromPretrained,
  type GeneratedImage,
  type LoadProgress,
  openInWorker,
  readModelFolder,
  removeDownloads,
  saveImage,
  TextToImageInWorker,
  WorkerError,
} from '@dalle-mini/pipeline/browser';
import { serveModels } from '@dalle-mini/pipeline/browser/worker';

declare const document: unknown;

if (typeof document === 'undefined') serveModels();

/** What a test gives: the model, and options that a message can carry. */
export interface Given extends Pick<FromPretrainedOptions, 'endpoint' | 'offline' | 'keep'> {
  readonly source?: string;
  readonly n?: number;
}

export interface Generated {
  readonly tokens: number[];
  readonly pixels: number[];
}

const prompt = 'a red apple';
const runtime = { threads: 1, wasmPaths: '/ort/' };

const listed = (images: readonly GeneratedImage[]): Generated[] =>
  images.map(({ tokens, image }) => ({ tokens: [...tokens], pixels: [...image.data] }));

/** Opens a model on this thread, and generates images. */
export async function generate({ source, n = 1, ...options }: Given): Promise<Generated[]> {
  await using model = await fromPretrained(source, { ...runtime, ...options });
  return listed(await model.generate(prompt, { n, seed: 7 }));
}

/** Opens a model, and returns the error. */
export async function errorOf({ source, ...options }: Given): Promise<{ name: string; code: string; message: string }> {
  const { name, code, message } = await fromPretrained(source, { ...runtime, ...options }).then(
    () => ({ name: 'none', code: '', message: '' }),
    (error) => error,
  );
  return { name, code, message };
}

/** Opens a model until so many bytes have arrived. */
export async function stopDownload({ source, bytes, ...options }: Given & { bytes: number }): Promise<string> {
  const stop = new AbortController();
  const onProgress = ({ done }: LoadProgress) => {
    if (done >= bytes) stop.abort();
  };
  return fromPretrained(source, { ...runtime, ...options, onProgress, signal: stop.signal }).then(
    () => 'none',
    ({ name }: Error) => name,
  );
}

export async function forget(): Promise<void> {
  await removeDownloads();
}

declare class Worker {
  constructor(url: string, options: { type: 'module' });
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  terminate(): void;
}

/** What a page sees of a model in a worker. */
export interface InWorker {
  readonly images: Generated[];
  readonly rows: number[];
  readonly previewSize: number;
  readonly loaded: number;
  readonly png: number[];
  readonly decodes: boolean;
  readonly stopped: { readonly error: string; readonly rows: number };
  readonly refused: { readonly code: string; readonly message: string };
}

/** Generates in a worker, for a page. */
export async function generateInWorker({ source, n = 1, ...options }: Given): Promise<InWorker> {
  const worker = new Worker('/host.js', { type: 'module' });
  let loaded = 0;
  const onProgress = ({ done, total }: LoadProgress) => {
    loaded = done / total;
  };
  const model = await openInWorker(worker, source, { ...runtime, ...options, onProgress });
  if (!(model instanceof TextToImageInWorker)) throw new Error('The model must be in the worker.');
  const rows: number[] = [];
  let previewSize = 0;
  let images: readonly GeneratedImage[] = [];
  for await (const update of model.stream(prompt, { n, seed: 7 })) {
    rows.push(update.row);
    if (update.row === 2) previewSize = (await update.preview())[0]!.width;
    images = update.images ?? images;
  }
  const [decoded] = await model.imageTokenizer.decode([images[0]!.tokens]);
  const stop = new AbortController();
  let stoppedRows = 0;
  const stopped = await model
    .generate(prompt, {
      signal: stop.signal,
      onProgress: ({ row }) => {
        stoppedRows = row;
        if (row === 1) stop.abort();
      },
    })
    .then(
      () => 'none',
      ({ name }: Error) => name,
    );
  const refused = await model.generate(' ').then(
    () => ({ code: '', message: '' }),
    ({ code, message }) => ({ code, message }),
  );
  const png = [...(await images[0]!.toBuffer('png'))];
  await model.dispose();
  worker.terminate();
  return {
    images: listed(images),
    rows,
    previewSize,
    loaded,
    png,
    decodes: String(decoded?.data) === String(images[0]!.image.data),
    stopped: { error: stopped, rows: stoppedRows },
    refused,
  };
}

/** Opens a model in a worker whose program is missing. */
export async function openInMissingWorker(): Promise<string> {
  const worker = new Worker('/missing.js', { type: 'module' });
  return openInWorker(worker).then(
    () => 'none',
    (error) => (WorkerError.isInstance(error) ? error.code : error.message),
  );
}

/** Encodes an image of one red pixel in each format, and saves it. Returns the first bytes of the files, and the errors. */
export async function encode(): Promise<{ png: number[]; webp: number[]; errors: string[] }> {
  const image = { width: 1, height: 1, data: Uint8Array.of(255, 0, 0) };
  const [png, webp] = [await encodeImage(image), await encodeImage(image, { format: 'webp', quality: 50 })];
  const errors = await Promise.all(
    ['red.png', 'red.gif'].map((name) =>
      saveImage(image, name).then(
        () => 'none',
        ({ message }: Error) => message,
      ),
    ),
  );
  return { png: [...png.slice(0, 4)], webp: [...webp.slice(8, 12)], errors };
}

/** Reads a model. Returns the sum of the decoder's parameters, and the width of the text encoder. */
export async function readModel(source: string): Promise<{ sum: number; parameters: number; maxLength: number }> {
  const { decoder, textEncoder } = await readModelFolder(source);
  const sums = [...decoder.parameters.values()].map(({ data }) => (data as Float32Array).reduce((a, b) => a + b, 0));
  return { sum: sums.reduce((a, b) => a + b, 0), parameters: sums.length, maxLength: textEncoder.maxLength };
}
