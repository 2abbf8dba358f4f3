/** Fine-tunes the bundled model on the pictures of a job. A stopped job resumes from its newest checkpoint. */
import { createSampler, encodeImages, openImages } from '@dalle-mini/data/browser';
import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
import { packModelFolder, readModelFolder } from '@dalle-mini/pipeline/browser';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { trainDecoder } from '@dalle-mini/train/browser';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { type Job, readPictures, readRun, runFolder, samplePrompts, writeArchive } from './job.js';
import type { FromTrainer, ToTrainer } from './messages.js';

const seed = 1;
const mostPicturesOfBatch = 8;
const secondsUntilWorkersEnd = 10;
const stop = new AbortController();

addEventListener('message', ({ data }: MessageEvent<ToTrainer>) => {
  if (data === 'stop') stop.abort();
  else void trainAndReport();
});

const tell = (message: FromTrainer) => postMessage(message);

async function trainAndReport(): Promise<void> {
  try {
    await asTheOnlyTrainer(async () => train((await readRun())!.job));
    tell({ kind: 'ended' });
  } catch (error) {
    if (stop.signal.aborted) tell({ kind: 'ended' });
    else tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

/** Refuses if another window is training. */
async function asTheOnlyTrainer(work: () => Promise<void>): Promise<void> {
  // A worker that has failed, or a page that was reloaded, keeps its lock until the browser has ended it.
  const waiting = AbortSignal.timeout(secondsUntilWorkersEnd * 1000);
  const signal = AbortSignal.any([waiting, stop.signal]);
  await navigator.locks
    .request('training', { signal }, async () => work())
    .catch((error) => {
      if (error === waiting.reason) throw new Error('Another window of this page is training. Stop it there first.');
      throw error;
    });
}

async function train(job: Job): Promise<void> {
  const { signal } = stop;
  tell({ kind: 'preparing', what: 'Opening the model' });
  const runtime = new OnnxRuntimeWeb({ threads: Math.min(4, navigator.hardwareConcurrency) });
  const model = await readModelFolder('emoji', {
    signal,
    onProgress: ({ done, total }) => tell({ kind: 'preparing', what: 'Downloading the model', fraction: done / total }),
  });
  const { config, parameters } = model.imageTokenizer;
  const imageTokenizer = new VqganTokenizer(config, parameters, { runtime });
  tell({ kind: 'preparing', what: 'Encoding the pictures' });
  const dataset = await encodeImages(await openPictures(job, imageTokenizer.imageSize), imageTokenizer, { signal });
  const { files, maxLength } = model.textEncoder;
  const encoder = await loadTextEncoder(files, { runtime, maxLength });
  const { steps, samplesEvery } = job;
  tell({ kind: 'preparing', what: 'Preparing the first step' });
  const trained = await trainDecoder({
    folder: runFolder,
    runtime,
    config: {
      model: model.decoder.config,
      batchSize: Math.min(mostPicturesOfBatch, dataset.length),
      learningRate: 1e-4,
      warmUpSteps: Math.min(10, steps - 1),
      stepsPerRun: 1,
    },
    steps,
    seed,
    checkpointEvery: samplesEvery,
    evaluateEvery: samplesEvery,
    dataset,
    evaluation: dataset,
    evaluationSize: Math.min(mostPicturesOfBatch, dataset.length),
    // The pictures are few, and are also those of the evaluation.
    result: 'last',
    order: createSampler({ length: dataset.length, seed }),
    parameters: model.decoder.parameters,
    textEncoder: { kind: 'frozen', encoder },
    samples: { prompts: samplePrompts(job), imageTokenizer, sampling: model.sampling },
    signal,
    onProgress: ({ done, total, secondsLeft }) => tell({ kind: 'step', done, total, secondsLeft }),
  });
  tell({ kind: 'preparing', what: 'Packing the model' });
  const decoder = { config: model.decoder.config, parameters: trained };
  await writeArchive(await packModelFolder({ ...model, name: 'my-model', decoder }, { dtype: 'fp16' }));
}

async function openPictures(job: Job, imageSize: number) {
  const files = await readPictures(job);
  const pictures = job.pictures.map(({ name, caption }, i) => ({
    key: `${i + 1}: ${name}`,
    picture: files[i]!,
    captions: [caption],
  }));
  return openImages(pictures, { imageSize });
}
