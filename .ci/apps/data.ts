import { mkdir, writeFile } from 'node:fs/promises';
import { openImageFolder } from '@dalle-mini/data';

await mkdir('images');
await writeFile('images/red.txt', 'a red square\n');
// A PNG of one red pixel.
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
await writeFile('images/red.png', Buffer.from(png, 'base64'));

const dataset = await openImageFolder('images', { imageSize: 2 });
const { image, captions } = await dataset.get(0);
if (image.data.length !== 2 * 2 * 3 || image.data[0] !== 255) throw new Error(`unexpected pixels ${image.data}`);
console.log(`${dataset.length} image: ${captions.join()}`);
