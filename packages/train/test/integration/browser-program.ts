/** The program of browser.test.ts, which runs in a browser. */
import { BrowserFolder } from '@dalle-mini/core/browser';
import { createSampler, encodeImages, openImages, type Picture } from '@dalle-mini/data/browser';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
import { packModelFolder, TextToImage } from '@dalle-mini/pipeline/browser';
import { captionBert, decoderModel, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { tinyVqgan } from '@dalle-mini/testing/tiny-vqgan';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { readMetrics, trainDecoder, trainVqgan } from '@dalle-mini/train/browser';
import { VqganTokenizer } from '@dalle-mini/vqgan';

const runtimeOptions = { threads: 1, wasmPaths: '/ort/' };
/** Three runs of the graph, with a checkpoint after each. */
const run = { steps: 3, checkpointEvery: 1, evaluateEvery: 3, evaluationSize: 4 };
const config = { batchSize: 4, stepsPerRun: 1, warmUpSteps: 1 };

export interface Trained {
  readonly losses: number[];
  readonly files: Record<string, string>;
  readonly error: string;
}

async function sha256(data: Blob | Uint8Array): Promise<string> {
  const bytes = data instanceof Blob ? await data.arrayBuffer() : (data as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16)).join(' ');
}

/** The hash of each file of a run, except the log, which has times. */
async function filesOf(folder: string): Promise<Record<string, string>> {
  const found = (await BrowserFolder.open('runs', folder))!;
  const names = (await found.names()).filter((name) => name !== 'run-log.jsonl');
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await sha256((await found.read(name))!)] as const)),
  );
}

/** Trains for three steps, or until it is stopped after some. */
export async function train(given: {
  kind: 'decoder' | 'vqgan';
  folder: string;
  stopAfter?: number;
}): Promise<Trained> {
  const { kind, folder, stopAfter } = given;
  await using runtime = new OnnxRuntimeWeb(runtimeOptions);
  const stop = new AbortController();
  const options = {
    ...run,
    folder: `runs/${folder}`,
    runtime,
    signal: stop.signal,
    onProgress: ({ done }: { done: number }) => {
      if (done === stopAfter) stop.abort();
    },
  };
  const training =
    kind === 'vqgan'
      ? trainVqgan({ ...vqganRun, ...options, config: { ...vqganRun.config, ...config, restartEvery: 0 } })
      : trainDecoder({ ...decoderRun, ...options, config: { ...decoderRun.config, ...config } });
  const error = await training.then(
    () => 'none',
    ({ name }: Error) => name,
  );
  const metrics = await readMetrics(`runs/${folder}/metrics.jsonl`);
  return { losses: metrics.map(({ loss }) => loss!), files: await filesOf(folder), error };
}

/** Resumes a run with another learning rate. */
export async function resumeOtherwise(folder: string): Promise<{ code: string; message: string }> {
  await using runtime = new OnnxRuntimeWeb(runtimeOptions);
  const changed = { ...vqganRun.config, ...config, restartEvery: 0, learningRate: 1 };
  return trainVqgan({ ...vqganRun, ...run, folder: `runs/${folder}`, runtime, config: changed }).then(
    () => ({ code: 'none', message: '' }),
    ({ code, message }) => ({ code, message }),
  );
}

declare class OffscreenCanvas {
  constructor(width: number, height: number);
  getContext(kind: '2d'): { fillStyle: string; fillRect(x: number, y: number, width: number, height: number): void };
  convertToBlob(): Promise<Blob>;
}

/** A file of a rectangle whose middle square has one color. */
async function pictureOf(color: string, key: string): Promise<Picture> {
  const canvas = new OffscreenCanvas(60, 40);
  const context = canvas.getContext('2d');
  context.fillStyle = 'black';
  context.fillRect(0, 0, 60, 40);
  context.fillStyle = color;
  context.fillRect(10, 0, 40, 40);
  return { key, picture: new File([await canvas.convertToBlob()], key), captions: [`a ${color} square`] };
}

export interface FromPictures {
  readonly firstPixel: number[];
  readonly described: boolean;
  readonly archive: number[];
  readonly tokens: number[];
  readonly sheet: number;
  readonly refused: string;
}

/** Trains a VQ-GAN and a decoder on pictures, and packs the model. */
export async function trainOnPictures(): Promise<FromPictures> {
  await using runtime = new OnnxRuntimeWeb(runtimeOptions);
  const colors = ['red', 'green', 'blue', 'yellow'];
  const pictures = await Promise.all(colors.map((color, i) => pictureOf(color, `${i}.png`)));
  const images = await openImages(pictures, { imageSize: tinyVqgan.resolution });
  const common = { ...run, runtime, seed: 1, order: createSampler({ length: 4, seed: 1 }) };
  const vqgan = await trainVqgan({
    ...common,
    folder: 'runs/own-vqgan',
    config: { ...vqganRun.config, ...config, restartEvery: 0 },
    dataset: images,
    evaluation: images,
  });
  const imageTokenizer = new VqganTokenizer(tinyVqgan, vqgan, { runtime });
  const tokens = await encodeImages(images, imageTokenizer);
  const encoder = await loadTextEncoder(captionBert.files, { runtime, maxLength: 8 });
  const model = { ...decoderModel, gridSize: imageTokenizer.gridSize, vocabularySize: imageTokenizer.vocabularySize };
  const decoder = await trainDecoder({
    ...common,
    folder: 'runs/own-decoder',
    config: { ...decoderRun.config, ...config, model },
    dataset: tokens,
    evaluation: tokens,
    textEncoder: { kind: 'frozen', encoder },
    samples: { prompts: ['a red square'], imageTokenizer },
  });
  const parameters = (all: ReadonlyMap<string, TensorData>) => all;
  const archive = await packModelFolder({
    name: 'own',
    imageTokenizer: { config: tinyVqgan, parameters: parameters(vqgan) },
    textEncoder: { files: captionBert.files, maxLength: 8 },
    decoder: { config: model, parameters: parameters(decoder) },
    sampling: { topK: 4 },
  });
  const own = new TextToImage({
    imageTokenizer,
    textEncoder: encoder,
    decoder: new DalleMiniDecoder(model, decoder, { runtime }),
    sampling: { topK: 4 },
  });
  const [image] = await own.generate('a red square', { seed: 1 });
  const first = await images.get(0);
  const sheets = (await BrowserFolder.open('runs', 'own-decoder'))!;
  const refused = await openImages([{ key: 'notes.txt', picture: new Blob(['no picture']), captions: ['a'] }], {
    imageSize: 8,
  }).then(
    () => 'none',
    ({ message }: Error) => message,
  );
  return {
    firstPixel: [...first.image.data.subarray(0, 3)],
    described: images.describe!(0).image !== images.describe!(1).image,
    archive: [...new Uint8Array(await archive.arrayBuffer())],
    tokens: [...image!.tokens],
    sheet: (await sheets.read('samples-00000003.png'))?.size ?? 0,
    refused,
  };
}
