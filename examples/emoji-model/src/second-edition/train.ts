/**
 * Trains the second edition of the bundled model: pictures, VQ-GAN, token shards, decoder. After an interruption, run it again to resume.
 * `npm run train:second -- [folder]` writes the data and all runs to the folder, by default `runs/emoji2`. `--only=vqgan` and
 * `--only=decoder` train one of the two, which do not need each other. `--device=cuda`, `tpu` or `xla-cpu` trains there, in bfloat16.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createSampler, groupIndices } from '@dalle-mini/data';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type DeviceName, openRuntime } from '@dalle-mini/pipeline';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { course } from '../course.js';
import { readFirstEdition } from '../first-edition.js';
import { pathOf } from '../paths.js';
import { loadMiniLM } from '../text-encoder.js';
import { encodedOnce, withCaptions } from '../token-shards.js';
import { prepareData } from './data.js';
import type { Picture, PictureDataset } from './pictures.js';
import * as recipe from './recipe.js';
import { styledCaptions } from './styles.js';
import { withLargerImages } from './vqgan-start.js';

const { values: flags, positionals } = parseArgs({
  options: { only: { type: 'string' }, device: { type: 'string' } },
  allowPositionals: true,
});
const folder = pathOf(positionals[0], 'runs/emoji2');
const isOf = (part: 'vqgan' | 'decoder') => flags.only === undefined || flags.only === part;
const { say, signal, trained } = course(folder);
const runtime = new OnnxRuntime({ threads: Number(process.env.THREADS ?? 2) });
const trainer = flags.device ? await openRuntime(flags.device as DeviceName, { compute: 'bfloat16' }) : runtime;

say('preparing the pictures');
const { training, singles, plain, emoji } = await prepareData(join(folder, 'pictures'), signal);
const heldOut = singles.filter(({ split }) => split !== 'train');
say(`${training.length} pictures to train on, ${heldOut.length} held out`);

const start = await readFirstEdition();

if (isOf('vqgan')) {
  const { steps, ...config } = recipe.vqganTraining;
  await trained('vqgan', ({ onProgress }) =>
    trainVqgan({
      folder: join(folder, 'vqgan'),
      runtime: trainer,
      config,
      steps,
      seed: recipe.seed,
      checkpointEvery: 50,
      evaluateEvery: 100,
      evaluationSize: 64,
      result: 'last',
      parameters: withLargerImages(start.imageTokenizer.parameters, recipe.vqgan, recipe.seed),
      dataset: training,
      order: createSampler({ groups: groupIndices(training.pictures), seed: recipe.seed }),
      evaluation: heldOut,
      signal,
      onProgress,
    }),
  );
}

if (isOf('decoder')) await trainTheDecoder();
say(`done: ${folder}`);
await Promise.all([trainer.dispose(), runtime.dispose(), emoji.close()]);

async function trainTheDecoder(): Promise<void> {
  say('encoding the pictures');
  // It reads pictures of the second edition, and draws the samples as the first.
  const tokenizer = new VqganTokenizer(recipe.vqgan, start.imageTokenizer.parameters, { runtime });
  const firstTokenizer = new VqganTokenizer(start.imageTokenizer.config, start.imageTokenizer.parameters, { runtime });
  const encoded = (name: string, pictures: PictureDataset) => {
    const captionsOf = (picture: Picture) => recipe.trainingCaptions(styledCaptions(picture, plain.has(picture.key)));
    const dataset = withCaptions(pictures, captionsOf);
    return encodedOnce(join(folder, 'tokens', name), dataset, tokenizer, { signal, shardSize: 1024 });
  };
  const pictures = fewerTones(training, recipe.tonesOfDrawing);
  const tokens = await encoded('train', pictures);
  const evaluation = await encoded(
    'held-out-drawings',
    heldOut.filter(({ split }) => split === 'held-out-drawings'),
  );

  // A separate runtime, so that captions are encoded during the training steps.
  const textRuntime = new OnnxRuntime({ threads: 1 });
  const { steps, ...config } = recipe.decoderTraining;
  await trained('decoder', async ({ onProgress }) =>
    trainDecoder({
      folder: join(folder, 'decoder'),
      runtime: trainer,
      config,
      steps,
      seed: recipe.seed,
      checkpointEvery: 50,
      evaluateEvery: 500,
      result: 'last',
      parameters: start.decoder.parameters,
      dataset: tokens,
      order: createSampler({ groups: placesOf(pictures.pictures, plain), seed: recipe.seed }),
      evaluation,
      textEncoder: { kind: 'frozen', encoder: await loadMiniLM(textRuntime) },
      samples: { prompts: recipe.samplePrompts, imageTokenizer: firstTokenizer, sampling: recipe.sampling },
      signal,
      onProgress,
    }),
  );
  await textRuntime.dispose();
}

/** Keeps a few of the skin tones of each drawing. */
function fewerTones(pictures: PictureDataset, count: number): PictureDataset {
  const seen = new Map<string, number>();
  return pictures.filter(({ group, captions }) => {
    if (!captions.some((caption) => caption.includes('skin tone'))) return true;
    const number = (seen.get(group) ?? 0) + 1;
    seen.set(group, number);
    return number <= count;
  });
}

/**
 * Lists the places of an epoch: the pictures that share each, by their indices. Plain drawings have several places, the others of a thing
 * share one.
 */
function placesOf(pictures: readonly Picture[], plain: ReadonlySet<string>): (readonly number[])[] {
  const places = new Map<string, number[]>();
  let compositions = 0;
  for (const [index, { key, concept, group }] of pictures.entries()) {
    const place = key.startsWith('composed-')
      ? `composed/${Math.floor(compositions++ / recipe.compositionsOfPlace)}`
      : plain.has(key)
        ? `plain/${group}`
        : `styled/${concept}`;
    const members = places.get(place);
    if (members) members.push(index);
    else places.set(place, [index]);
  }
  return [...places].flatMap(([place, members]) =>
    place.startsWith('plain/') ? Array.from({ length: recipe.placesOfPlain }, () => members) : [members],
  );
}
