import { rm, writeFile } from 'node:fs/promises';
import { DalleMiniDecoder, type DecoderConfig } from '@dalle-mini/decoder';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { encodeImage, fromPretrained, imageGrid, TextToImage } from '@dalle-mini/pipeline';
import { trainDecoder } from '@dalle-mini/train';
import { BagOfWords } from './bag-of-words.js';
import { colorDataset } from './colors.js';

const bundled = await fromPretrained();
const { imageTokenizer } = bundled;
const textEncoder = new BagOfWords(64, 6);

// A decoder understands the hidden states that it was trained on, so a new encoder needs a new decoder: here a tiny one,
// trained in seconds on pictures of one color.
const dataset = await colorDataset(imageTokenizer);
const config: DecoderConfig = {
  vocabularySize: imageTokenizer.vocabularySize,
  gridSize: imageTokenizer.gridSize,
  width: 64,
  layers: 1,
  heads: 2,
  feedForwardWidth: 128,
  textWidth: textEncoder.width,
};
const runtime = new OnnxRuntime();
await rm('output', { recursive: true, force: true });
const parameters = await trainDecoder({
  folder: 'output/decoder',
  runtime,
  config: { model: config, batchSize: 10, learningRate: 5e-3, warmUpSteps: 10 },
  steps: 100,
  seed: 1,
  checkpointEvery: 100,
  evaluateEvery: 100,
  dataset,
  evaluation: dataset,
  order: (position) => position % dataset.length,
  textEncoder: { kind: 'frozen', encoder: textEncoder },
  onProgress: ({ done, loss }) => done % 50 === 0 && console.log(`step ${done}, loss ${loss.toFixed(3)}`),
});

// The swap: any implementation of TextEncoder can replace BERT.
const model = new TextToImage({
  imageTokenizer,
  textEncoder,
  decoder: new DalleMiniDecoder(config, parameters, { runtime }),
});
for (const prompt of ['blue', 'a yellow picture', 'GREEN']) {
  const pictures = await model.generate(prompt, { n: 4, seed: 1, temperature: 0.5 });
  const path = `output/${prompt.replace(/\W+/g, '-')}.png`;
  await writeFile(path, await encodeImage(imageGrid(pictures.map(({ image }) => image))));
  console.log(`${prompt}: ${path}`);
}
await model.dispose();
await bundled.dispose();
await runtime.dispose();
