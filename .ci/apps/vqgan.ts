import { createRandom, initializeParameters, input, ParameterScope } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type RgbImage, reconstruct, type VqganConfig, VqganTokenizer } from '@dalle-mini/vqgan';

const config: VqganConfig = {
  resolution: 32,
  inChannels: 3,
  ch: 32,
  chMult: [1, 1, 1],
  numResBlocks: 1,
  attnResolutions: [],
  zChannels: 16,
  embedDim: 16,
  nEmbed: 64,
};
const scope = new ParameterScope();
reconstruct(scope, input('images', [1, 3, 32, 32]), config);
const parameters = initializeParameters(scope.parameters, createRandom(1));

const runtime = new OnnxRuntime();
const tokenizer = new VqganTokenizer(config, parameters, runtime);
const image: RgbImage = {
  width: 32,
  height: 32,
  data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7) % 256),
};
const [tokens] = await tokenizer.encode([image]);
const [restored] = await tokenizer.decode([tokens!]);
await tokenizer.dispose();
await runtime.dispose();

if (tokens!.length !== 64 || tokens!.some((token) => token < 0 || token >= 64)) throw new Error(`tokens: ${tokens}`);
if (restored!.width !== 32 || restored!.data.length !== image.data.length) throw new Error('not an image of 32×32');
if (new Set(restored!.data).size < 2) throw new Error('the restored image is of one color');
for (const absent of ['sharp', '@tensorflow/tfjs-core', '@tensorflow/tfjs-node']) {
  const found = await import(absent).then(
    () => true,
    () => false,
  );
  if (found) throw new Error(`${absent} can be imported`);
}
console.log(`${tokens!.length} tokens, ${new Set(tokens).size} of them different`);
