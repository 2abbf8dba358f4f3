/**
 * Measures a model folder of the second edition, and prints the table of its card: `npm run evaluate:second -- [model folder]`. `--run` names
 * the folder of the training, `runs/emoji2` by default, which has the pictures and gets sheets of those that the model generates, none
 * selected. `--quick` measures a tenth of the pictures.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type RgbImage, shuffled } from '@dalle-mini/core';
import { exists, writeFileAtomically } from '@dalle-mini/core/node';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { evaluateReconstructions, writeSampleSheet } from '@dalle-mini/train';
import { evaluateTokenLoss } from '../evaluation.js';
import { openModel } from '../open-model.js';
import { pathOf } from '../paths.js';
import { nearest } from '../picture-feature.js';
import { type ComposedFigures, evaluateComposed } from './composed.js';
import { type Composed, compose, half } from './compositions.js';
import { prepareData } from './data.js';
import { featureExtractor } from './features.js';
import * as recipe from './recipe.js';
import { withStyle } from './styles.js';

const { values: flags, positionals } = parseArgs({
  options: { run: { type: 'string' }, quick: { type: 'boolean' } },
  allowPositionals: true,
});
const share = flags.quick ? 10 : 1;
const folder = pathOf(flags.run, 'runs/emoji2');
const runtime = new OnnxRuntime({ threads: Number(process.env.THREADS ?? 2) });
const { singles, composable, heldOutCompositions } = await prepareData(join(folder, 'pictures'));
const modelFolder = pathOf(positionals[0], 'packages/emoji/model');
const { tokenizer, encoder, decoder, config, parameters, sampling } = await openModel(modelFolder, runtime);
/** Prints rows of the table. All take half an hour. */
const print = (...rows: (readonly [figure: string, value: string])[]) => {
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
};
print(['figure', 'value'], ['---', '---']);
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
const mean = (values: readonly boolean[]) => values.filter(Boolean).length / values.length;

const heldOut = singles.filter(({ split }) => split === 'held-out-drawings');
const reconstruction = await evaluateReconstructions(tokenizer, heldOut, {
  runtime,
  count: Math.ceil(heldOut.length / share),
  sheet: join(folder, 'reconstructions.png'),
});
print(
  [`reconstruction of ${reconstruction.images} held-out drawings, mean PSNR`, `${reconstruction.psnr.toFixed(2)} dB`],
  ['the same, mean LPIPS (AlexNet)', reconstruction.lpipsAlexNet.toFixed(3)],
  ['the same, mean LPIPS (VGG16)', reconstruction.lpipsVgg16.toFixed(3)],
  ['codes that these pictures use', `${percent(reconstruction.codesUsed)} of ${tokenizer.vocabularySize}`],
);

// The gallery: real pictures in which a generated one is looked for. Skin tones would only be more of the same.
const extractor = await featureExtractor(runtime);
const gallery = singles.filter(({ captions }) => !captions.some((caption) => caption.includes('skin')));
const features = await galleryFeatures(join(folder, `gallery-${gallery.length}.f32`));
/** Returns the concepts of the five nearest real pictures to one of 64 pixels. */
const nearestConcepts = async (image: RgbImage): Promise<string[]> => {
  const [query] = await extractor.featuresOf([image]);
  return nearest(query!, features, 5).map((index) => gallery.pictures[index]!.concept);
};
const say = ({ sides, colors, counts }: ComposedFigures) =>
  `sides ${percent(sides)}, colors ${percent(colors)}, counts ${percent(counts)}`;
const imagesOf = async ({ pictures, read }: Composed) => Promise.all(pictures.map((_, index) => read(index)));

// The measure itself: what it says of real pictures, which are right, as they are and as the VQ-GAN reconstructs them.
const real = await imagesOf(heldOutCompositions);
const { compositions } = heldOutCompositions;
print([
  `the measure of compositions on ${real.length} real ones`,
  say(await evaluateComposed(real, compositions, nearestConcepts)),
]);
const reconstructed = await tokenizer.decode(await tokenizer.encode(real));
print(['the same, reconstructed', say(await evaluateComposed(reconstructed, compositions, nearestConcepts))]);

const unconditional = await encoder.encode(['']);
const generate = async (captions: readonly string[]): Promise<RgbImage[]> => {
  const images: RgbImage[] = [];
  for (let start = 0; start < captions.length; start += 10) {
    const text = await encoder.encode(captions.slice(start, start + 10));
    const options = { ...sampling, seed: recipe.seed + start, unconditional };
    images.push(...(await tokenizer.decode(await decoder.generate(text, options))));
  }
  return images;
};

const drawings = await Promise.all(
  Array.from({ length: Math.ceil(heldOut.length / share) }, async (_, i) => withStyle(await heldOut.get(i * share))),
);
const loss = await evaluateTokenLoss({ config, parameters, runtime, tokenizer, encoder }, drawings);
print([`loss a token on ${drawings.length} held-out drawings`, `${loss.toFixed(3)} nats`]);

const labels = new Map<string, string>();
for (const { concept, split, captions } of gallery.pictures)
  if (split === 'train' && !labels.has(concept)) labels.set(concept, captions[0]!);
const chosen = shuffled([...labels.keys()].sort(), 'concepts', recipe.seed).slice(0, 300 / share);
const drawn = await generate(chosen.map((concept) => labels.get(concept)!));
await writeSampleSheet(join(folder, 'concepts.png'), drawn, 20);
const found = await Promise.all(drawn.map(async (image) => nearestConcepts(await half(image))));
print(
  [
    `${chosen.length} captions of trained concepts, nearest picture of the same concept, top-1`,
    percent(mean(found.map(([first], i) => first === chosen[i]))),
  ],
  ['the same, top-5', percent(mean(found.map((concepts, i) => concepts.includes(chosen[i]!))))],
);

// New compositions of drawings that are trained on.
const asked = compose(composable, { seed: recipe.seed + 1, split: 'train', pairs: 200 / share, counts: 100 / share });
const composed = await generate(asked.pictures.map(({ captions }) => captions[0]!));
await writeSampleSheet(join(folder, 'composed.png'), composed, 20);
print([
  `${composed.length} captions of new compositions`,
  say(await evaluateComposed(composed, asked.compositions, nearestConcepts)),
]);
await writeSampleSheet(join(folder, 'samples.png'), await generate(recipe.samplePrompts), 8);
await writeSampleSheet(join(folder, 'plain.png'), await generate(recipe.plainPrompts), 10);
await Promise.all([extractor.dispose(), runtime.dispose()]);

/** Computes the features of the gallery, or reads them if an earlier evaluation has written them. */
async function galleryFeatures(path: string): Promise<readonly Float32Array[]> {
  if (await exists(path)) {
    const { buffer, byteOffset, byteLength } = await readFile(path);
    const all = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
    const width = all.length / gallery.length;
    return Array.from({ length: gallery.length }, (_, i) => all.subarray(i * width, (i + 1) * width));
  }
  const features: Float32Array[] = [];
  for (let start = 0; start < gallery.length; start += 32) {
    const count = Math.min(32, gallery.length - start);
    const images = await Promise.all(Array.from({ length: count }, (_, i) => gallery.get(start + i)));
    features.push(...(await extractor.featuresOf(await Promise.all(images.map(({ image }) => half(image))))));
  }
  await writeFileAtomically(path, Buffer.concat(features.map((feature) => new Uint8Array(feature.buffer))));
  return features;
}
