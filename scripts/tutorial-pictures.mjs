/**
 * Makes the pictures of docs/tutorial.md with the bundled model, after a build: `node scripts/tutorial-pictures.mjs [masked model]`. They are
 * the same each time, up to the last bit of floating-point numbers. The folder of a masked model, which `npm run train:masked -w
 * examples/emoji-model` writes to `runs/emoji-masked/model`, makes those of masked decoders.
 */
import { mkdir } from 'node:fs/promises';
import { encodeImage, fromPretrained } from '@dalle-mini/pipeline';
import sharp from 'sharp';

const folder = 'docs/tutorial';
const prompt = 'a red apple';
/** A prompt that many pictures of its training have as a caption, so that seeds give different images. */
const openPrompt = 'a smiling face';
const seed = 7;
/** Pixels of an image in the pictures, and of the space around it. */
const size = 128;
const gap = 12;
const labelWidth = 150;

await mkdir(folder, { recursive: true });
const model = await fromPretrained('emoji');
const { imageTokenizer } = model;
const { gridSize, vocabularySize } = imageTokenizer;

await tokens();
await codes();
await rows();
await compare('guidance', [1, 2, 4, 8], 'guidanceScale');
await compare('temperature', [0, 0.7, 1, 1.5], 'temperature');
await compare('n', [1, 2, 4], 'n');
await complete();
await vary();
if (process.argv[2]) await withMaskedDecoder(process.argv[2]);
await model.dispose();

/** An image, and its tokens as a grid of numbers: equal tokens have equal colors. */
async function tokens() {
  const [picture] = await model.generate(prompt, { seed });
  const side = 4 * size;
  const cell = side / gridSize;
  const cells = Array.from(picture.tokens, (token, i) => {
    const [x, y] = [side + gap + cell * (i % gridSize), cell * Math.floor(i / gridSize)];
    return `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="${colorOf(token)}" stroke="white"/>
      <text x="${x + cell / 2}" y="${y + cell / 2 + 6}" text-anchor="middle">${token}</text>`;
  });
  await write('tokens', 2 * side + gap, side, [await at(picture.image, 0, 0, side), ...cells]);
}

/** Codes of the codebook, each as an image that has it everywhere: its middle, without the border. */
async function codes() {
  const [columns, count] = [8, 32];
  const grids = Array.from({ length: count }, (_, i) =>
    new Int32Array(gridSize ** 2).fill(Math.floor((i * vocabularySize) / count)),
  );
  const images = await imageTokenizer.decode(grids);
  const side = size / 2;
  const parts = await Promise.all(
    images.map(async (image, i) => {
      const [x, y] = [(side + gap) * (i % columns), (side + 20 + gap) * Math.floor(i / columns)];
      const label = `<text x="${x + side / 2}" y="${y + side + 16}" text-anchor="middle">${grids[i][0]}</text>`;
      return (await at(middleOf(image), x, y, side)) + label;
    }),
  );
  await write('codes', columns * (side + gap) - gap, (count / columns) * (side + 20 + gap) - gap, parts);
}

/** An image after some of its rows, as `preview` shows it. */
async function rows() {
  const parts = [];
  for await (const { row, rows, preview } of model.stream(prompt, { seed })) {
    if (row % 2 !== 0 && row !== 1) continue;
    const [image] = await preview();
    const x = parts.length * (size + gap);
    const label = `<text x="${x + size / 2}" y="${size + 22}" text-anchor="middle">row ${row} of ${rows}</text>`;
    parts.push((await at(image, x, 0, size)) + label);
  }
  await write('rows', parts.length * (size + gap) - gap, size + 30, parts);
}

/** Four images for each value of an option, a row for each; `n` itself has as many images as it asks for. */
async function compare(name, values, option) {
  await writeRows(name, 4, option, values, (value) => model.generate(openPrompt, { n: 4, seed, [option]: value }));
}

/** An image, and four completions of its upper rows for another prompt, a row for each number of rows that are kept. */
async function complete() {
  const [{ image }] = await model.generate(prompt, { seed });
  await writeRows('complete', 5, 'keepRows', [2, 4, 6], async (keepRows) => [
    { image },
    ...(await model.generate('a blue heart', { n: 4, seed, image, keepRows })),
  ]);
}

/** An image, and four others for the same prompt that begin with its upper rows, a row for each number of rows that are kept. */
async function vary() {
  const [{ image }] = await model.generate(openPrompt, { seed });
  await writeRows('vary', 5, 'keepRows', [1, 3, 5], async (keepRows) => [
    { image },
    ...(await model.generate(openPrompt, { n: 4, seed, image, keepRows, temperature: 1 })),
  ]);
}

/** What only a masked decoder can do: complete any part of an image, and vary all of it. */
async function withMaskedDecoder(folder) {
  const masked = await fromPretrained(folder);
  const { imageSize } = masked.imageTokenizer;
  const [{ image }] = await model.generate(prompt, { seed });
  const maskOf = (isGenerated) => ({
    width: imageSize,
    height: imageSize,
    data: Uint8Array.from({ length: 3 * imageSize ** 2 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % imageSize, Math.floor(i / 3 / imageSize)];
      return isGenerated(x / imageSize, y / imageSize) ? 255 : 0;
    }),
  });
  const masks = [
    maskOf((_, y) => y >= 0.5),
    maskOf((x) => x >= 0.5),
    maskOf((x, y) => Math.max(Math.abs(x - 0.5), Math.abs(y - 0.5)) < 0.25),
  ];
  const inpainted = [];
  for (const [j, mask] of masks.entries()) {
    const y = j * (size + gap);
    const pictures = await masked.generate('a green apple', { n: 4, seed, image, mask });
    for (const [i, picture] of [image, mask, ...pictures.map(({ image }) => image)].entries())
      inpainted.push(await at(picture, i * (size + gap), y, size));
  }
  await write('inpaint', 6 * (size + gap) - gap, masks.length * (size + gap) - gap, inpainted);

  await writeRows('strength', 5, 'strength', [0.25, 0.5, 0.75], async (strength) => [
    { image },
    ...(await masked.generate(prompt, { n: 4, seed, image, strength })),
  ]);
  await masked.dispose();
}

/** A row of pictures for each value of an option, which is written before them. */
async function writeRows(name, columns, option, values, picturesOf) {
  const parts = [];
  for (const [j, value] of values.entries()) {
    const y = j * (size + gap);
    parts.push(`<text x="0" y="${y + size / 2 + 6}">${option}: ${value}</text>`);
    for (const [i, { image }] of (await picturesOf(value)).entries())
      parts.push(await at(image, labelWidth + i * (size + gap), y, size));
  }
  await write(name, labelWidth + columns * (size + gap) - gap, values.length * (size + gap) - gap, parts);
}

/** An image at a place, scaled with hard edges between its pixels. */
async function at(image, x, y, side) {
  const png = await sharp(await encodeImage(image))
    .resize(side, side, { kernel: 'nearest' })
    .png()
    .toBuffer();
  return `<image x="${x}" y="${y}" width="${side}" height="${side}" href="data:image/png;base64,${png.toString('base64')}"/>
    <rect x="${x}" y="${y}" width="${side}" height="${side}" fill="none" stroke="#ddd"/>`;
}

function middleOf({ width, data }) {
  const [side, start] = [width / 4, (width * 3) / 8];
  const pixels = Array.from({ length: side }, (_, y) => {
    const first = 3 * ((start + y) * width + start);
    return [...data.subarray(first, first + 3 * side)];
  });
  return { width: side, height: side, data: Uint8Array.from(pixels.flat()) };
}

/** A light color for each token, far from those of its neighbors. */
function colorOf(token) {
  return `hsl(${Math.round((token * 137.5) % 360)}, 65%, 80%)`;
}

async function write(name, width, height, parts) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width + 2 * gap}" height="${height + 2 * gap}">
    <rect width="100%" height="100%" fill="white"/>
    <g transform="translate(${gap} ${gap})" font-family="sans-serif" font-size="16" fill="#222">${parts.join('')}</g>
  </svg>`;
  const { size } = await sharp(Buffer.from(svg)).webp({ quality: 85 }).toFile(`${folder}/${name}.webp`);
  console.log(`${folder}/${name}.webp: ${Math.round(size / 1000)} kB`);
}
