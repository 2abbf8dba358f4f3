import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach } from 'vitest';

const created: string[] = [];

afterEach(async () => {
  for (const folder of created.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A fresh folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dalle-mini-data-'));
  created.push(folder);
  return folder;
}

export type Color = readonly [red: number, green: number, blue: number];

/** A PNG whose left half has one color and whose right half has another. */
export async function twoColoredPng(width: number, height: number, left: Color, right: Color): Promise<Buffer> {
  const data = Buffer.alloc(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) data.set(pixel % width < width / 2 ? left : right, pixel * 3);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** The pixel of an image at a column and a row. */
export function pixelAt(image: { width: number; data: ArrayLike<number> }, x: number, y: number): number[] {
  const start = (y * image.width + x) * 3;
  return [image.data[start]!, image.data[start + 1]!, image.data[start + 2]!];
}
