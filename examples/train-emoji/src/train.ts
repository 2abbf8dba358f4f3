/**
 * Trains a toy model from scratch and generates images with it. The results are in `output`. If it is stopped and started again, it resumes
 * from the last checkpoint. With `--small` it takes half a minute and starts over. It fails if a loss does not fall.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RgbImage } from '@dalle-mini/core';
import { createSampler, groupIndices, openTokenShards, writeTokenShards } from '@dalle-mini/data';
import { type EmojiDataset, type EmojiSplit, prepareEmoji } from '@dalle-mini/data/emoji';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { peakSignalToNoise } from '@dalle-mini/perceptual';
import { fromPretrained, readTextEncoder, writeModelFolder } from '@dalle-mini/pipeline';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import {
  type MetricsRecord,
  readMetrics,
  type TrainingProgress,
  trainDecoder,
  trainVqgan,
  writeSampleSheet,
} from '@dalle-mini/train';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { prompts, recipe, smallRecipe } from './recipe.js';

const small = process.argv.includes('--small');
const { concepts, imageSize, vqgan: vqganRecipe, decoder: decoderRecipe } = small ? smallRecipe : recipe;
const seed = 1;
const maxLength = 16;
const drawingsOfEach = 4;
const folder = fileURLToPath(new URL(small ? '../output/small' : '../output', import.meta.url));
if (small) await rm(folder, { recursive: true, force: true });

const startedAt = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${text}`);

/** Prints about ten lines over a run. */
function report({ done, total, rate, secondsLeft, loss }: TrainingProgress): void {
  if (done % (total / 10) !== 0) return;
  say(
    `  step ${done} of ${total}, loss ${loss.toFixed(3)}, ${rate.toFixed(1)} steps/s, ${secondsLeft.toFixed(0)} s left`,
  );
}

/** Prints the result of a run: a training metric, as the mean of its first and last ten steps, and an evaluation metric. */
async function conclude(run: string, figure: string, evaluation: string): Promise<void> {
  const metrics = await readMetrics(join(folder, run, 'metrics.jsonl'));
  const mean = (records: readonly MetricsRecord[]) =>
    records.reduce((sum, record) => sum + record[figure]!, 0) / records.length;
  const [before, after] = [mean(metrics.slice(0, 10)), mean(metrics.slice(-10))];
  say(
    `  ${figure} ${before.toFixed(3)} at first, ${after.toFixed(3)} at the end; ${evaluation} ${metrics.at(-1)![evaluation]!.toFixed(2)}`,
  );
  if (!(after < before)) throw new Error(`the ${figure} of the ${run} did not fall`);
}

say(`drawing ${concepts.length} emoji of seven sets at ${imageSize}×${imageSize} pixels`);
const emoji = await prepareEmoji(join(folder, 'pictures'), { imageSize, concepts });
const training = emoji.subset('train');
const heldOut = emoji.subset('held-out-drawings');
say(`  ${training.length} for training, ${heldOut.length} held out`);

// Training uses all cores; captions are encoded at the same time.
const runtime = new OnnxRuntime();
const textRuntime = new OnnxRuntime({ threads: 1 });

say('training the VQ-GAN, which turns a picture into 8×8 tokens and back');
const { steps: vqganSteps, ...vqganConfig } = vqganRecipe;
const vqgan = await trainVqgan({
  folder: join(folder, 'vqgan'),
  runtime,
  config: vqganConfig,
  steps: vqganSteps,
  seed,
  checkpointEvery: vqganRecipe.steps / 5,
  evaluateEvery: vqganRecipe.steps / 5,
  dataset: training,
  order: createSampler({ groups: groupIndices(training.entries), seed }),
  evaluation: heldOut,
  onProgress: report,
});
await conclude('vqgan', 'squaredError', 'evaluationPsnr');

say('encoding the pictures');
const tokenizer = new VqganTokenizer(vqganRecipe.model, vqgan, { runtime });
const encode = async (pictures: EmojiDataset, split: EmojiSplit) => {
  const path = join(folder, 'tokens', split);
  await writeTokenShards(pictures, tokenizer, path);
  return openTokenShards(path);
};
const tokens = await encode(training, 'train');
const heldOutTokens = await encode(heldOut, 'held-out-drawings');

say('training the decoder, which writes tokens from a caption; MiniLM reads the caption and is not trained');
const textFiles = await readTextEncoder(
  fileURLToPath(new URL('./model/text-encoder', import.meta.resolve('@dalle-mini/emoji/package.json'))),
);
const encoder = await loadTextEncoder(textFiles, { runtime: textRuntime, maxLength, batchSize: 16, emojiNames: true });
const decoderConfig = { ...decoderRecipe.model, textWidth: encoder.width };
const { steps: decoderSteps, ...decoderTraining } = decoderRecipe;
const decoder = await trainDecoder({
  folder: join(folder, 'decoder'),
  runtime,
  config: { ...decoderTraining, model: decoderConfig },
  steps: decoderSteps,
  seed,
  checkpointEvery: decoderRecipe.steps / 5,
  evaluateEvery: decoderRecipe.steps / 5,
  dataset: tokens,
  order: createSampler({ groups: await tokens.groups(), seed }),
  textEncoder: { kind: 'frozen', encoder },
  evaluation: heldOutTokens,
  onProgress: report,
});
await conclude('decoder', 'loss', 'evaluationLoss');
await Promise.all([runtime.dispose(), textRuntime.dispose()]);

const modelFolder = join(folder, 'model');
await writeModelFolder(modelFolder, {
  name: 'toy',
  imageTokenizer: { config: vqganRecipe.model, parameters: vqgan },
  textEncoder: { files: textFiles, maxLength },
  decoder: { config: decoderConfig, parameters: decoder },
  sampling: { guidanceScale: 1.5, topP: 0.95 },
});

say(`drawing ${drawingsOfEach} pictures for each of ${prompts.length} prompts`);
const model = await fromPretrained(modelFolder);
const samples = await Promise.all(training.entries.map((_, index) => training.get(index)));
const sheet: RgbImage[] = [];
let found = 0;
for (const [column, { prompt, concept }] of prompts.entries()) {
  const pictures = await model.generate(prompt, { n: drawingsOfEach, seed });
  const nearest = pictures.map(({ image }) => {
    const ratios = samples.map((sample) => peakSignalToNoise(image, sample.image));
    return samples[ratios.indexOf(Math.max(...ratios))]!;
  });
  const right = nearest.filter((sample) => sample.concept === concept).length;
  found += right;
  say(
    `  ${prompt}: ${right} of ${drawingsOfEach} are nearest to it; ${nearest.map(({ captions }) => captions[0]).join(', ')}`,
  );
  for (const [row, { image }] of pictures.entries()) sheet[row * prompts.length + column] = image;
}
await model.dispose();
await emoji.close();

const sheetPath = join(folder, 'pictures.png');
await writeSampleSheet(sheetPath, sheet, prompts.length);
say(
  `of ${sheet.length} pictures, ${found} are nearest to one of what the prompt says, among ${samples.length} of training`,
);
say(`the pictures, a column a prompt: ${sheetPath}`);
say(`the model, for fromPretrained or dalle-mini generate: ${modelFolder}`);
