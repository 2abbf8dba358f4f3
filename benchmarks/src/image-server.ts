/**
 * Serves images for the benchmark of downloads, in a separate process: JPEGs of real sizes, with latencies, and with the faults of old lists.
 * `/123` is always the same. Prints its port.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRandom, uniform } from '@dalle-mini/core';
import sharp from 'sharp';

/** Different JPEGs, and the mean number of their megapixels: the first argument. */
const pictures = 16;
const megapixels = Number(process.argv[2] ?? 0.66);

/** What comes of a row, and for which share of the rows; the others are images. */
const faults: readonly (readonly [share: number, answer: (response: ServerResponse, number: number) => void])[] = [
  [0.03, (response) => response.writeHead(404).end('not found')],
  // The client's time limit ends it.
  [0.005, () => undefined],
  [0.01, cut],
  [0.01, (response, number) => void sendSlowly(response, jpegOf(number))],
  [0.01, (response) => response.writeHead(200, jpegHeader).end('<!doctype html><title>Parked</title>')],
  [0.02, (response, number) => response.writeHead(302, { location: `/moved/${number}` }).end()],
  [0.001, (response) => response.writeHead(200, { 'content-type': 'image/png' }).end(bomb)],
];
const jpegHeader = { 'content-type': 'image/jpeg' };

const jpegs = await Promise.all(Array.from({ length: pictures }, (_, number) => drawJpeg(number)));
/** 81 million pixels in some kilobytes. */
const bomb = await sharp({ create: { width: 9000, height: 9000, channels: 3, background: '#446688' } })
  .png({ palette: true })
  .toBuffer();

const server = createServer((request, response) => {
  const [, moved, digits] = /^\/(moved\/)?(\d+)$/.exec(request.url!) ?? [];
  const number = Number(digits);
  // Most servers answer soon, and some late: 20 to 500 ms.
  const latency = 20 + 480 * uniform('latency', number) ** 4;
  setTimeout(() => (moved ? sendJpeg : answerOf(number))(response, number), latency);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

function answerOf(number: number): (response: ServerResponse, number: number) => void {
  let rest = uniform('fault', number);
  for (const [share, answer] of faults) {
    if (rest < share) return answer;
    rest -= share;
  }
  return sendJpeg;
}

function jpegOf(number: number): Buffer {
  return jpegs[number % pictures]!;
}

function sendJpeg(response: ServerResponse, number: number): void {
  response.writeHead(200, jpegHeader).end(jpegOf(number));
}

function cut(response: ServerResponse, number: number): void {
  const jpeg = jpegOf(number);
  response.writeHead(200, { ...jpegHeader, 'content-length': jpeg.length });
  response.write(jpeg.subarray(0, jpeg.length / 2), () => response.destroy());
}

/** Sends a file in 20 parts within two seconds. */
async function sendSlowly(response: ServerResponse, jpeg: Buffer): Promise<void> {
  response.writeHead(200, { ...jpegHeader, 'content-length': jpeg.length });
  const size = Math.ceil(jpeg.length / 20);
  for (let start = 0; start < jpeg.length; start += size) {
    response.write(jpeg.subarray(start, start + size));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  response.end();
}

/** Draws an image whose file has as many bytes a pixel as those of photos: noise of all scales. */
async function drawJpeg(number: number): Promise<Buffer> {
  const random = createRandom('picture', number);
  // With 300, they have 0.66 megapixels on average.
  const shorter = Math.round(300 * Math.sqrt(megapixels / 0.66) * 4 ** random.uniform());
  const longer = Math.round(shorter * (1 + 0.6 * random.uniform()));
  const [width, height] = random.integer(2) === 0 ? [shorter, longer] : [longer, shorter];
  const pixels = new Float32Array(3 * width * height).fill(128);
  for (let cells = 2, strength = 60; cells < longer; cells *= 2, strength /= 1.35) {
    const data = Uint8Array.from({ length: 3 * cells * cells }, () => random.integer(256));
    const layer = await sharp(data, { raw: { width: cells, height: cells, channels: 3 } })
      .resize(width, height, { fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    for (let i = 0; i < layer.length; i++) pixels[i]! += (strength * (layer[i]! - 128)) / 128;
  }
  return sharp(Uint8ClampedArray.from(pixels), { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}
