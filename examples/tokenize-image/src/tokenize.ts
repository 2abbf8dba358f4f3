import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
import sharp from 'sharp';

// The bundled model's VQ-GAN. Any other will do: its sizes, and its weights under the names of Taming Transformers.
const config = fileURLToPath(import.meta.resolve('@dalle-mini/emoji/model/vqgan/config.json'));
const tokenizer = await openVqganTokenizer(dirname(config));
const { imageSize, gridSize, vocabularySize } = tokenizer;

const smiley = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
  <circle cx="8" cy="8" r="7" fill="#fc3"/><circle cx="5.5" cy="6" r="1"/><circle cx="10.5" cy="6" r="1"/>
  <path d="M4.5 9.5a3.5 3.5 0 0 0 7 0z"/></svg>`);
const data = await sharp(process.argv[2] ?? smiley, { density: 600 })
  .resize(imageSize, imageSize)
  .flatten({ background: 'white' })
  .toColorspace('srgb')
  .raw()
  .toBuffer();

const [tokens] = await tokenizer.encode([{ width: imageSize, height: imageSize, data }]);
console.log(`${imageSize}×${imageSize} pixels are ${tokens!.length} tokens of ${vocabularySize}:`);
for (let row = 0; row < gridSize; row++) {
  const line = tokens!.subarray(row * gridSize, (row + 1) * gridSize);
  console.log([...line].map((token) => String(token).padStart(6)).join(''));
}

const [restored] = await tokenizer.decode([tokens!]);
await mkdir('output', { recursive: true });
await sharp(restored!.data, { raw: { width: imageSize, height: imageSize, channels: 3 } }).toFile(
  'output/restored.png',
);
console.log('and back: output/restored.png');
await tokenizer.dispose();
