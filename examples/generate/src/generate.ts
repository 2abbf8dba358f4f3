import { fromPretrained, imageGrid, saveImage } from '@dalle-mini/pipeline';

const prompt = process.argv[2] ?? 'a red apple';
const model = await fromPretrained();
const pictures = await model.generate(prompt, { n: 4, seed: 7 });
await saveImage(imageGrid(pictures.map(({ image }) => image)), 'output/pictures.png');
await model.dispose();
console.log(`${prompt}: output/pictures.png`);
