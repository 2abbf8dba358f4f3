/**
 * Trains the bundled model from scratch: images, VQ-GAN, token shards, and the decoder in two rounds. After an interruption, run it again
 * to resume. `npm run train -- [folder]` writes the data and all runs to the folder, by default `runs/emoji`.
 */
import { join } from 'node:path';
import { createSampler, groupIndices } from '@dalle-mini/data';
import { type EmojiSplit, prepareEmoji } from '@dalle-mini/data/emoji';
import { decoderParameters } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { codebookEmbeddings } from './codebook-embeddings.js';
import { course } from './course.js';
import { pathOf } from './paths.js';
import * as recipe from './recipe.js';
import { loadMiniLM } from './text-encoder.js';
import { encodedOnce, withCaptions } from './token-shards.js';

const folder = pathOf(process.argv[2], 'runs/emoji');
const { say, signal, trained } = course(folder);
const runtime = new OnnxRuntime({ threads: Number(process.env.THREADS ?? 2) });

say('rendering the emoji');
const emoji = await prepareEmoji(join(folder, 'pictures'), { imageSize: recipe.imageSize, signal });
const train = emoji.subset((entry) => recipe.splitOf(entry) === 'train');

const vqgan = await trained('vqgan', ({ onProgress }) => {
  const { steps, ...config } = recipe.vqganTraining;
  return trainVqgan({
    folder: join(folder, 'vqgan'),
    runtime,
    config,
    steps,
    seed: recipe.seed,
    checkpointEvery: 250,
    evaluateEvery: 500,
    result: 'last',
    dataset: train,
    order: createSampler({ groups: groupIndices(train.entries), seed: recipe.seed }),
    evaluation: emoji.subset((entry) => recipe.splitOf(entry) !== 'train'),
    signal,
    onProgress,
  });
});

say('encoding the pictures');
const tokenizer = new VqganTokenizer(recipe.vqgan, vqgan, { runtime });
const shards = (split: EmojiSplit) => {
  const pictures = emoji.subset((entry) => recipe.splitOf(entry) === split);
  const dataset = withCaptions(pictures, ({ captions }) => recipe.trainingCaptions(captions));
  return encodedOnce(join(folder, 'tokens', split), dataset, tokenizer, { signal });
};
const tokens = await shards('train');
const evaluation = await shards('held-out-drawings');

const order = createSampler({ groups: await tokens.groups(), seed: recipe.seed });
// A separate runtime, so that captions are encoded during the training steps.
const textRuntime = new OnnxRuntime({ threads: 1 });
const encoder = await loadMiniLM(textRuntime);
/** One round of training the decoder, from the parameters given. */
const round = (
  name: string,
  { steps, ...config }: typeof recipe.decoderTraining,
  parameters: Map<string, TensorData>,
  seed: number,
) =>
  trained(name, ({ onProgress }) =>
    trainDecoder({
      folder: join(folder, name),
      runtime,
      config,
      steps,
      seed,
      checkpointEvery: 200,
      evaluateEvery: 1000,
      result: 'last',
      dataset: tokens,
      order,
      textEncoder: { kind: 'frozen', encoder },
      parameters,
      evaluation,
      samples: { prompts: recipe.samplePrompts, imageTokenizer: tokenizer, sampling: recipe.sampling },
      signal,
      onProgress,
    }),
  );
const initial = initializeParameters(decoderParameters(recipe.decoder), recipe.seed);
const codebook = vqgan.get('quantize.embedding.weight')!;
for (const [name, values] of codebookEmbeddings(codebook, recipe.decoder.width, recipe.seed)) initial.set(name, values);
const first = await round('decoder-first', recipe.decoderTraining, initial, recipe.seed);
await round('decoder', recipe.decoderFinish, first, recipe.seed + 1);
say(`done: ${folder}`);
await Promise.all([runtime.dispose(), textRuntime.dispose(), emoji.close()]);
