/**
 * Measures what fine-tuning a VQ-GAN gains and loses, for the guide of that name: `npm run fine-tuning -- [folder of the second edition] [kind of pictures]…`.
 * It needs the prepared pictures of the second edition, `PHOTOGRAPHS`, a folder with those of scikit-image and scikit-learn, and `STAMPS`,
 * Tux Paint's (Debian's `tuxpaint-stamps-default`). It prints the tables and writes a sheet of pictures, a row for each VQ-GAN.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RgbImage } from '@dalle-mini/core';
import { createSampler, type Dataset, openImageFiles } from '@dalle-mini/data';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { LpipsMetric, peakSignalToNoise } from '@dalle-mini/perceptual';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { trainVqgan, type VqganTrainingConfig, writeSampleSheet } from '@dalle-mini/train';
import { type VqganConfig, VqganTokenizer } from '@dalle-mini/vqgan';
import { evaluateTokenLoss } from './evaluation.js';
import { readFirstEdition } from './first-edition.js';
import { pathOf } from './paths.js';
import { sampling } from './recipe.js';
import { half } from './second-edition/compositions.js';
import { prepareData } from './second-edition/data.js';
import { crop, type Picture } from './second-edition/pictures.js';
import { loadMiniLM } from './text-encoder.js';

/** Pictures that are measured, of each kind. */
const measured = 64;
const size = 64;
const seed = 1;
const steps = 60;
/** Photographs that are not trained on. */
const testPhotographs = ['coffee', 'flower', 'retina', 'rocket'];
/** Width of a photograph, of which squares of 64 pixels are cut. */
const photographSize = 192;
const prompts = ['red apple', 'grinning face', 'rocket', 'pizza', 'a blue car', 'a bird', 'a ghost', 'a yellow flower'];

type Parameters = ReadonlyMap<string, TensorData>;
type Images = readonly RgbImage[];

const folder = pathOf(process.argv[2], 'runs/emoji2');
const kinds = ['photographs', 'clip-art', 'fluent-3d'];
const chosen = process.argv.length > 3 ? process.argv.slice(3) : kinds;
const place = (name: string) => {
  const path = process.env[name];
  if (path === undefined) throw new Error(`${name} must name a folder of pictures. See src/fine-tuning.ts.`);
  return path;
};

const runtime = new OnnxRuntime({ threads: Number(process.env.THREADS ?? 2) });
const firstEdition = await readFirstEdition();
const { config } = firstEdition.imageTokenizer;
const encoder = await loadMiniLM(runtime);

const { singles } = await prepareData(join(folder, 'pictures'));
/** Returns some pictures of the second edition, 64 pixels wide. */
const pictures = (keep: (picture: Picture) => boolean) => {
  const kept = singles.filter(keep);
  return {
    length: kept.length,
    async get(index: number) {
      const sample = await kept.get(index);
      return { ...sample, image: await half(sample.image) };
    },
  };
};
const from = (source: string, split: 'train' | 'held-out') => (picture: Picture) =>
  picture.key.startsWith(`${source}/`) && (picture.split === 'train') === (split === 'train');
const isEmoji = ({ key, split }: Picture) => split === 'held-out-drawings' && !/^(clip-art|fluent-3d)\//.test(key);

/** Cuts nine squares out of each photograph. */
async function photographs(keep: (name: string) => boolean): Promise<Dataset> {
  const files = await openImageFiles(place('PHOTOGRAPHS'), { imageSize: photographSize });
  const all = await Promise.all(Array.from({ length: files.length }, (_, index) => files.get(index)));
  const kept = all.filter(({ key }) => keep(key));
  const step = (photographSize - size) / 2;
  const square = ({ key, image }: { key: string; image: RgbImage }, number: number) => ({
    key: `${key}-${number}`,
    captions: [key],
    image: crop(image, (number % 3) * step, Math.floor(number / 3) * step, size),
  });
  const squares = kept.flatMap((photograph) => Array.from({ length: 9 }, (_, number) => square(photograph, number)));
  return { length: squares.length, get: async (index) => squares[index]! };
}
const isTest = (key: string) => testPhotographs.some((name) => key.includes(name));

const training: VqganTrainingConfig = {
  model: config,
  batchSize: 8,
  learningRate: 2e-4,
  warmUpSteps: 10,
  squaredErrorWeight: 0,
  absoluteErrorWeight: 1,
  perceptual: { weight: 1 },
  restartEvery: 0,
  averageDecay: 0.98,
  flip: true,
};
/** The half that writes tokens, and the codes. */
const frozen = [{ match: ['encoder.*', 'quant_conv.*', 'quantize.*'], factor: 0 }];

async function fineTuned(dataset: Dataset, how: Partial<VqganTrainingConfig>, start?: Parameters): Promise<Parameters> {
  const temporary = await mkdtemp(join(tmpdir(), 'fine-tuning-'));
  try {
    return await trainVqgan({
      folder: temporary,
      runtime,
      config: { ...training, ...how },
      steps,
      seed,
      checkpointEvery: steps,
      evaluateEvery: steps,
      evaluationSize: 1,
      result: 'last',
      ...(start ? { parameters: start } : {}),
      dataset,
      order: createSampler({ length: dataset.length, seed }),
      evaluation: dataset,
    });
  } finally {
    await rm(temporary, { recursive: true });
  }
}

const old = pictures(isEmoji);
const oldSamples = await Promise.all(
  Array.from({ length: 4 * measured }, (_, i) => old.get(Math.floor((i * old.length) / (4 * measured)))),
);
const oldImages: Images = oldSamples.map(({ image }) => image);
const before = new VqganTokenizer(config, firstEdition.imageTokenizer.parameters, { runtime });
const oldGrids = await before.encode(oldImages);
const decoder = new DalleMiniDecoder(firstEdition.decoder.config, firstEdition.decoder.parameters, { runtime });
const drawn = await decoder.generate(await encoder.encode(prompts), {
  ...sampling,
  seed,
  unconditional: await encoder.encode(['']),
});
const sheet: RgbImage[] = [];

const metric = new LpipsMetric('alexnet', await readPerceptualWeights('alexnet'), { runtime });
/** The mean PSNR and LPIPS of images and what became of them. */
async function figures(originals: Images, images: Images): Promise<string> {
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  const ratios = originals.map((original, i) => Math.min(100, peakSignalToNoise(original, images[i]!)));
  const { distances } = await metric.compare(originals, images);
  return `${mean(ratios).toFixed(1)} dB, ${mean(distances).toFixed(3)}`;
}

/** Reads some pictures, evenly spread. */
const some = async ({ length, get }: { readonly length: number; get(index: number): Promise<{ image: RgbImage }> }) => {
  const count = Math.min(measured, length);
  const read = async (_: unknown, i: number) => (await get(Math.floor((i * length) / count))).image;
  return Promise.all(Array.from({ length: count }, read));
};

const oldShown = oldImages.filter((_, i) => i % 4 === 0);
const oldShownGrids = oldGrids.filter((_, i) => i % 4 === 0);
const stamps = await openImageFiles(place('STAMPS'), { imageSize: size, crop: 'none' });
const stampImages = await some({ length: stamps.length, get: (index) => stamps.get(index) });

/** Measures a VQ-GAN of the bundled model's sizes: on new and old pictures, and for a decoder that was trained before. */
async function row(name: string, parameters: Parameters, fresh: Images): Promise<string> {
  const tokenizer = new VqganTokenizer(config, parameters, { runtime });
  const reconstructed = async (images: Images) =>
    figures(images, await tokenizer.decode(await tokenizer.encode(images)));
  const [known, tokens] = [oldGrids, await tokenizer.encode(oldImages)].map((grids) =>
    grids.flatMap((grid) => [...grid]),
  );
  const same = tokens!.filter((token, i) => token === known![i]).length / tokens!.length;
  const loss = await evaluateTokenLoss({ ...firstEdition.decoder, runtime, tokenizer, encoder }, oldSamples);
  const cells = [
    name,
    await reconstructed(fresh),
    await reconstructed(oldShown),
    await reconstructed(stampImages),
    `${(100 * same).toFixed(0)} %`,
    `${loss.toFixed(2)} nats`,
    await figures(oldShown, await tokenizer.decode(oldShownGrids)),
  ];
  sheet.push(...(await tokenizer.decode(drawn)));
  await tokenizer.dispose();
  return `| ${cells.join(' | ')} |`;
}

const photos = await photographs((key) => !isTest(key));
const newPictures = [
  { name: 'photographs', training: photos, images: await some(await photographs(isTest)) },
  ...kinds.slice(1).map((source) => ({
    name: source,
    training: pictures(from(source, 'train')),
    held: pictures(from(source, 'held-out')),
  })),
];
console.log(`| VQ-GAN | new pictures | old pictures | stamps | same tokens | loss of the decoder | old tokens |
| --- | --- | --- | --- | --- | --- | --- |`);
for (const { name, training, ...rest } of newPictures) {
  if (!chosen.includes(name)) continue;
  const images = 'images' in rest ? rest.images : await some(rest.held);
  console.log(await row(`${name}: before`, firstEdition.imageTokenizer.parameters, images));
  const start = firstEdition.imageTokenizer.parameters;
  console.log(await row(`${name}: decoding half`, await fineTuned(training, { learningRates: frozen }, start), images));
  console.log(await row(`${name}: all`, await fineTuned(training, {}, start), images));
}
await writeSampleSheet(join(folder, 'fine-tuning.png'), sheet, prompts.length);

// From random values, with half as many tokens a side and 16,384 codes.
const f16: VqganConfig = { ...config, chMult: [1, 2, 4, 8, 8], nEmbed: 16_384 };
const emoji = pictures(({ key, split }) => split === 'train' && !/^(clip-art|fluent-3d)\//.test(key));
const random = new VqganTokenizer(f16, await fineTuned(emoji, { model: f16, learningRate: 1e-3 }), { runtime });
console.log(
  `f16, 16,384 codes, random start: ${await figures(oldShown, await random.decode(await random.encode(oldShown)))}`,
);
await runtime.dispose();
