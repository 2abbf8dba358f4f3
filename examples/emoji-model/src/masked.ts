/**
 * Trains a masked decoder, which can complete any part of an image: `npm run train:masked -- [folder]`, by default `runs/emoji-masked`. After
 * an interruption, run it again to resume. `folder/model` is a model folder with the VQ-GAN of the bundled model.
 *
 * It starts from the first edition's decoder: the same transformer, which then learns to attend to the tokens after a place too.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJsonFile } from '@dalle-mini/core/node';
import { createSampler } from '@dalle-mini/data';
import { type EmojiSplit, prepareEmoji } from '@dalle-mini/data/emoji';
import type { MaskedDecoderConfig } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type DecoderTrainingConfig, trainDecoder } from '@dalle-mini/train';
import { checkVqganConfig, VqganTokenizer } from '@dalle-mini/vqgan';
import { course } from './course.js';
import { readFirstEdition } from './first-edition.js';
import { loadParameters } from './parameters-file.js';
import { pathOf } from './paths.js';
import * as recipe from './recipe.js';
import { loadMiniLM } from './text-encoder.js';
import { encodedOnce } from './token-shards.js';
import { writeModel } from './write-model.js';

const model: MaskedDecoderConfig = { ...recipe.decoder, kind: 'masked' };
const steps = 1000;
const training: DecoderTrainingConfig = {
  model,
  batchSize: 32,
  learningRate: 6e-4,
  warmUpSteps: 50,
  weightDecay: 0.1,
  captionDropout: 0.1,
  averageDecay: 0.99,
};
const sampling = { guidanceScale: 2, passes: 12 };

const folder = pathOf(process.argv[2], 'runs/emoji-masked');
const { say, signal, trained } = course(folder);
const runtime = new OnnxRuntime({ threads: Number(process.env.THREADS ?? 2) });

say('rendering the emoji');
const emoji = await prepareEmoji(join(folder, 'pictures'), { imageSize: recipe.imageSize, signal });
const first = await readFirstEdition();
const tokenizer = new VqganTokenizer(first.imageTokenizer.config, first.imageTokenizer.parameters, { runtime });

say('encoding the pictures');
const shards = (split: EmojiSplit) => {
  const pictures = emoji.subset((entry) => recipe.splitOf(entry) === split);
  return encodedOnce(join(folder, 'tokens', split), pictures, tokenizer, { signal });
};
const tokens = await shards('train');
const evaluation = await shards('held-out-drawings');

// A separate runtime, so that captions are encoded during the training steps.
const textRuntime = new OnnxRuntime({ threads: 1 });
const encoder = await loadMiniLM(textRuntime);
const parameters = await trained('decoder', async ({ onProgress }) =>
  trainDecoder({
    folder: join(folder, 'decoder'),
    runtime,
    config: training,
    steps,
    seed: recipe.seed,
    checkpointEvery: 100,
    evaluateEvery: 500,
    result: 'last',
    dataset: tokens,
    order: createSampler({ groups: await tokens.groups(), seed: recipe.seed }),
    textEncoder: { kind: 'frozen', encoder },
    parameters: withoutMaskLogit(first.decoder.parameters),
    evaluation,
    samples: { prompts: recipe.samplePrompts, imageTokenizer: tokenizer, sampling },
    signal,
    onProgress,
  }),
);

const bundled = (name: string) => fileURLToPath(import.meta.resolve(`@dalle-mini/emoji/model/vqgan/${name}`));
await writeModel(join(folder, 'model'), 'emoji-masked', {
  imageTokenizer: {
    config: checkVqganConfig(await readJsonFile(bundled('config.json'))),
    parameters: await loadParameters(bundled('model.safetensors')),
  },
  decoder: { config: model, parameters },
  sampling,
});
say(`done: ${folder}`);
await Promise.all([runtime.dispose(), textRuntime.dispose(), emoji.close()]);

/** An autoregressive decoder has a logit for the token that starts a sequence; a masked one has none for the mask token. */
function withoutMaskLogit(parameters: ReadonlyMap<string, TensorData>): Map<string, TensorData> {
  const name = 'lm_head.weight';
  const { data } = parameters.get(name)!;
  const shape = [model.vocabularySize, recipe.decoder.width];
  const kept = (data as Float32Array).slice(0, shape[0]! * shape[1]!);
  return new Map(parameters).set(name, { dtype: 'float32', data: kept, shape });
}
