/**
 * Measures a model folder, by default the bundled one, and prints the table of the model card. Also writes a contact sheet of generated
 * images, which are not selected by hand. `npm run evaluate -- [model folder] [--quick]`.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareEmoji } from '@dalle-mini/data/emoji';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { evaluateReconstructions, writeSampleSheet } from '@dalle-mini/train';
import { evaluateConcepts, evaluateTokenLoss } from './evaluation.js';
import { openModel } from './open-model.js';
import { pathOf } from './paths.js';
import { samplePrompts, seed, splitOf } from './recipe.js';
import { withStyle } from './second-edition/styles.js';

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const [given] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = flags.find((flag) => flag !== '--quick');
if (unknown) {
  console.error(
    `The option ${unknown} is not known. The only option is --quick, which measures a tenth of the images.`,
  );
  process.exit(2);
}
const share = flags.includes('--quick') ? 10 : 1;
const folder = pathOf(given, 'packages/emoji/model');
const cache = pathOf(undefined, '.cache');
await mkdir(cache, { recursive: true });

const runtime = new OnnxRuntime();
const { tokenizer, encoder, decoder, config, parameters, sampling } = await openModel(folder, runtime);
const { imageSize } = tokenizer;

console.error('rendering the emoji (once; some minutes)');
const emoji = await prepareEmoji(join(cache, `emoji-${imageSize}`), { imageSize });
const every = async (subset: typeof emoji) =>
  Promise.all(Array.from({ length: Math.floor(subset.length / share) }, (_, i) => subset.get(i * share)));

const heldOut = emoji.subset((entry) => splitOf(entry) !== 'train');
const sheet = join(cache, 'reconstructions.png');
const reconstruction = await evaluateReconstructions(tokenizer, heldOut, {
  runtime,
  count: Math.floor(heldOut.length / share),
  sheet,
  onProgress: ({ done, total }) => {
    if (done % 200 === 0) console.error(`reconstructed ${done} of ${total} pictures`);
  },
});
const drawings = (await every(emoji.subset((entry) => splitOf(entry) === 'held-out-drawings'))).map(withStyle);
const tokenLoss = await evaluateTokenLoss({ config, parameters, runtime, tokenizer, encoder }, drawings);
console.error('generating images of trained concepts');
const concepts = await evaluateConcepts({ tokenizer, encoder, decoder }, emoji, {
  count: 300 / share,
  seed,
  sampling,
});
const concept = join(cache, 'concepts.png');
await writeSampleSheet(
  concept,
  concepts.drawn.map(({ image }) => image),
  20,
);
// One image for each prompt of the recipe, with the first seed: not selected by hand.
const prompts = join(cache, 'samples.png');
const unconditional = await encoder.encode(['']);
const grids = await decoder.generate(await encoder.encode(samplePrompts), { ...sampling, seed, unconditional });
await writeSampleSheet(prompts, await tokenizer.decode(grids), 8);

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
console.log(`| figure | value |
| --- | --- |
| reconstruction of ${reconstruction.images} held-out pictures, mean PSNR | ${reconstruction.psnr.toFixed(2)} dB |
| the same, mean SSIM | ${reconstruction.ssim.toFixed(3)} |
| the same, mean LPIPS (AlexNet) | ${reconstruction.lpipsAlexNet.toFixed(3)} |
| the same, mean LPIPS (VGG16) | ${reconstruction.lpipsVgg16.toFixed(3)} |
| codes that these pictures use | ${percent(reconstruction.codesUsed)} of ${tokenizer.vocabularySize}, perplexity ${reconstruction.perplexity.toFixed(0)} |
| loss a token on ${drawings.length} held-out drawings | ${tokenLoss.toFixed(3)} nats |
| ${concepts.captions} captions of trained concepts, nearest picture of the same concept, top-1 | ${percent(concepts.top1)} |
| the same, top-5 | ${percent(concepts.top5)} |`);
console.error(`reconstructions: ${sheet}; generated images: ${concept} and ${prompts}`);
await Promise.all([runtime.dispose(), emoji.close()]);
