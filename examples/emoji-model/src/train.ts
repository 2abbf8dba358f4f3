/**
 * Trains the bundled model from nothing: pictures, VQ-GAN, token shards, decoder. Run it again after an interruption and it
 * goes on where it was. `npm run train -- [folder]`; the folder, `runs/emoji` by default, gets the data and both runs.
 */
import { join, resolve } from 'node:path';
import {
  createSampler,
  type EmojiSplit,
  groupIndices,
  openTokenShards,
  prepareEmoji,
  writeTokenShards,
} from '@dalle-mini/data';
import { decoderParameters } from '@dalle-mini/decoder';
import { createRandom, initializeParameters } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type TrainingProgress, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { codebookEmbeddings } from './codebook-embeddings.js';
import { saveParameters } from './parameters-file.js';
import * as recipe from './recipe.js';
import { loadMiniLM } from './text-encoder.js';

const folder = resolve(process.argv[2] ?? '../../runs/emoji');
const abort = new AbortController();
process.once('SIGINT', () => abort.abort(new Error('stopped; run again to go on')));
process.once('uncaughtException', (error) => {
  console.error(abort.signal.aborted ? error.message : error);
  process.exit(abort.signal.aborted ? 130 : 1);
});
const { signal } = abort;

const runtime = new OnnxRuntime({ threads: Number(process.env.THREADS ?? 2) });
const startedAt = Date.now();
const say = (text: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(6)} s  ${text}`);
const report = (name: string) => (progress: TrainingProgress) => {
  if (progress.step % 100 !== 0) return;
  const left = (progress.steps - progress.step) / progress.stepsPerSecond / 60;
  say(
    `${name} ${progress.step}/${progress.steps}  loss ${progress.loss.toFixed(4)}  ${progress.stepsPerSecond.toFixed(2)} steps/s  ${left.toFixed(0)} min left`,
  );
};

say('drawing the emoji');
const emoji = await prepareEmoji(join(folder, 'pictures'), { imageSize: recipe.imageSize, signal });
const train = emoji.subset('train');
const heldOut = emoji.subset(({ split }) => split !== 'train');

say(`training the VQ-GAN on ${train.length} pictures`);
const order = createSampler({ groups: groupIndices(train.entries), seed: recipe.seed });
const vqgan = await trainVqgan({
  folder: join(folder, 'vqgan'),
  runtime,
  config: recipe.vqganTraining,
  steps: recipe.vqganTraining.steps,
  seed: recipe.seed,
  checkpointEvery: 250,
  evaluateEvery: 500,
  dataset: train,
  order: (position) => order.at(position),
  evaluation: heldOut,
  signal,
  onProgress: report('vqgan'),
});
await saveParameters(join(folder, 'vqgan.safetensors'), vqgan);

say('encoding the pictures');
const tokenizer = new VqganTokenizer(recipe.vqgan, vqgan, runtime);
const shards = async (name: EmojiSplit) => {
  const path = join(folder, 'tokens', name);
  await writeTokenShards(emoji.subset(name), tokenizer, path, { signal });
  return openTokenShards(path);
};
const tokens = await shards('train');
const evaluation = await shards('held-out-drawings');

say(`training the decoder on ${tokens.length} token grids`);
const tokenOrder = createSampler({ groups: await tokens.groups(), seed: recipe.seed });
// A runtime of its own, so that captions are encoded beside the training steps.
const textRuntime = new OnnxRuntime({ threads: 1 });
const encoder = await loadMiniLM(textRuntime);
const parameters = initializeParameters(decoderParameters(recipe.decoder), createRandom(recipe.seed));
const codebook = vqgan.get('quantize.embedding.weight')!;
for (const [name, values] of codebookEmbeddings(codebook, recipe.decoder.width, recipe.seed))
  parameters.set(name, values);
const decoder = await trainDecoder({
  folder: join(folder, 'decoder'),
  runtime,
  config: recipe.decoderTraining,
  steps: recipe.decoderTraining.steps,
  seed: recipe.seed,
  checkpointEvery: 200,
  evaluateEvery: 1000,
  dataset: tokens,
  order: (position) => tokenOrder.at(position),
  textEncoder: { kind: 'frozen', encoder },
  parameters,
  evaluation,
  samples: { prompts: recipe.samplePrompts, tokenizer, sampling: recipe.sampling },
  signal,
  onProgress: report('decoder'),
});
await saveParameters(join(folder, 'decoder.safetensors'), decoder);
say(`done: ${folder}`);
await Promise.all([runtime.dispose(), textRuntime.dispose(), emoji.close()]);
