import { writeFile } from 'node:fs/promises';
import { encodeImage, fromPretrained } from '@dalle-mini/pipeline';

const model = await fromPretrained();
const draw = async () => (await model.generate('a red apple', { seed: 7 }))[0]!;
const [picture, again] = [await draw(), await draw()];
await model.dispose();

if (picture.tokens.join() !== again.tokens.join()) throw new Error('The same seed generated another image.');
await writeFile('apple.png', await encodeImage(picture.image));
console.log(`${picture.image.width}×${picture.image.height} pixels from ${picture.tokens.length} tokens`);
