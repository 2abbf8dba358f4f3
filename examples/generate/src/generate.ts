import { mkdir, writeFile } from 'node:fs/promises';
import { encodeImage, fromPretrained, imageGrid } from '@dalle-mini/pipeline';

const prompt = process.argv[2] ?? 'a red apple';
const model = await fromPretrained();
const pictures = await model.generate(prompt, { n: 4, seed: 7 });
await mkdir('output', { recursive: true });
await writeFile('output/pictures.png', await encodeImage(imageGrid(pictures.map(({ image }) => image))));
await model.dispose();
console.log(`${prompt}: output/pictures.png`);
