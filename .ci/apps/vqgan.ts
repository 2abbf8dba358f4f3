import { openVqganTokenizer } from '@dalle-mini/vqgan/node';

const tokenizer = await openVqganTokenizer(process.argv[2]!);
const { imageSize: size, gridSize, vocabularySize } = tokenizer;

// A red square on white.
const inSquare = (i: number) => i > size / 4 && i < (3 * size) / 4;
const data = new Uint8Array(size * size * 3).fill(255);
for (let y = 0; y < size; y++) {
  for (let x = 0; x < size; x++) if (inSquare(x) && inSquare(y)) data.set([220, 40, 40], 3 * (y * size + x));
}
const [tokens] = await tokenizer.encode([{ width: size, height: size, data }]);
const [restored] = await tokenizer.decode([tokens!]);
await tokenizer.dispose();

if (tokens!.length !== gridSize ** 2) throw new Error(`there are ${tokens!.length} tokens`);
if (tokens!.some((token) => token < 0 || token >= vocabularySize)) throw new Error(`tokens out of range: ${tokens}`);
const error = data.reduce((sum, value, i) => sum + Math.abs(value - restored!.data[i]!), 0) / data.length;
if (restored!.data.length !== data.length || !(error < 16)) throw new Error(`pixels are off by ${error} on average`);

for (const absent of ['sharp', '@tensorflow/tfjs-core', '@tensorflow/tfjs-node']) {
  const found = await import(absent).then(
    () => true,
    () => false,
  );
  if (found) throw new Error(`${absent} can be imported`);
}
console.log(`${tokens!.length} tokens, and back: pixels are off by ${error.toFixed(1)} of 255 on average`);
