/**
 * Makes the pictures of the bundled model's card, after a build: `node scripts/emoji-pictures.mjs`. One shows how images appear row by row,
 * the other an image for each prompt of the recipe; each prompt has one try. They are the same each time, up to the last bit of floating-point
 * numbers.
 */
import { samplePrompts } from '@dalle-mini/example-emoji-model/recipe';
import { encodeImage, fromPretrained } from '@dalle-mini/pipeline';
import sharp from 'sharp';

const folder = 'packages/emoji';
const prompts = [
  'a red apple',
  'a rocket',
  'a cat',
  'a slice of pizza',
  'a blue heart',
  'a birthday cake',
  'a green leaf',
  'a happy face',
  'a house with a tree',
  'a cup of coffee',
  'a yellow flower',
  'a ghost',
];
const columns = 6;
const [size, gap, textHeight] = [128, 8, 24];
const milliseconds = { row: 220, last: 3000 };

const model = await fromPretrained('emoji');
/** Of each row, the images of all prompts. */
const rows = [];
for (const prompt of prompts)
  for await (const { row, preview } of model.stream(prompt, { seed: 1 })) {
    const [image] = await preview();
    rows[row - 1] = [...(rows[row - 1] ?? []), await encodeImage(image)];
  }
const sheet = [];
for (const prompt of samplePrompts) {
  const [picture] = await model.generate(prompt, { seed: 1 });
  sheet.push({ input: await encodeImage(picture.image) });
}
await model.dispose();
await sheetOf(8).webp({ quality: 85 }).toFile(`${folder}/samples.webp`);

const [width, height] = [columns * (size + gap) + gap, Math.ceil(prompts.length / columns) * (size + textHeight) + gap];
const place = (i) => [gap + (i % columns) * (size + gap), gap + Math.floor(i / columns) * (size + textHeight)];
const frames = rows.map((images) => {
  const parts = images.map((png, i) => {
    const [x, y] = place(i);
    const label = `<text x="${x + size / 2}" y="${y + size + 14}" text-anchor="middle">${prompts[i]}</text>`;
    return `<image x="${x}" y="${y}" width="${size}" height="${size}" href="data:image/png;base64,${Buffer.from(png).toString('base64')}"/>${label}`;
  });
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
      <rect width="100%" height="100%" fill="white"/>
      <g font-family="sans-serif" font-size="12" fill="#222">${parts.join('')}</g>
    </svg>`,
  );
});
const delay = frames.map((_, i) => (i < frames.length - 1 ? milliseconds.row : milliseconds.last));
const pages = await Promise.all(frames.map((svg) => sharp(svg).png().toBuffer()));
await sharp(pages, { join: { animated: true } })
  .webp({ quality: 80, delay, loop: 0 })
  .toFile(`${folder}/rows.webp`);

/** The images of the prompts, a number of them in a row. */
function sheetOf(columns) {
  const cell = size + 2;
  const layers = sheet.map((layer, i) => ({
    ...layer,
    left: (i % columns) * cell,
    top: Math.floor(i / columns) * cell,
  }));
  const [width, height] = [columns * cell - 2, Math.ceil(sheet.length / columns) * cell - 2];
  return sharp({ create: { width, height, channels: 3, background: '#ccc' } }).composite(layers);
}
