import sharp from 'sharp';

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
