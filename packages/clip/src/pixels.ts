import { checkImage, type RgbImage } from '@dalle-mini/core';

/** A rectangle of an image, in pixels. */
export interface PixelWindow {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Mean and standard deviation, of red, green and blue in [0, 1], that CLIP's images were normalized by. */
const mean = [0.48145466, 0.4578275, 0.40821073] as const;
const deviation = [0.26862954, 0.26130258, 0.27577711] as const;

/**
 * Writes an image of any size as CLIP reads it, `[3, imageSize, imageSize]`, at an offset of an array: scaled so that its shorter
 * side fits, the middle cut out, normalized by CLIP's mean and deviation.
 * @throws OptionError if it is not an RGB image.
 */
export function writeClipPixels(image: RgbImage, imageSize: number, target: Float32Array, offset: number): void {
  checkImage(image);
  const { width, height } = image;
  const shorter = Math.min(width, height);
  // Sizes and margins are rounded down, as in transformers.
  const scaled = (side: number) => Math.floor((imageSize * side) / shorter);
  const left = Math.floor((scaled(width) - imageSize) / 2);
  const top = Math.floor((scaled(height) - imageSize) / 2);
  const window = { left, top, width: imageSize, height: imageSize };
  const { data } = resizeBicubic(image, scaled(width), scaled(height), window);
  const plane = imageSize * imageSize;
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = data[3 * pixel + channel]! / 255;
      target[offset + channel * plane + pixel] = (value - mean[channel]!) / deviation[channel]!;
    }
  }
}

/** Fractional bits of the weights, as in Pillow. With 8 bits per channel and 2 bits for overshoot, sums fit into 32 bits. */
const precision = 22;

/**
 * Scales an image by bicubic interpolation, to the same bytes as Pillow's `Image.resize` with `BICUBIC`: the kernel of Keys (1981)
 * with a = −0.5, as wide as a pixel of the smaller of the two images, so that what shrinks is not aliased.
 * Columns are scaled before rows, as in the Pillow of CLIP's time. Pillow 13 scales the rows of some images first, such as those more
 * than twice as tall as wide; there bytes differ where the first pass overshoots, by up to 22 in images of noise.
 * @param part The part of the scaled image that is computed and returned. Default: all of it.
 */
export function resizeBicubic(
  image: RgbImage,
  width: number,
  height: number,
  part: PixelWindow = { left: 0, top: 0, width, height },
): RgbImage {
  const columns = bicubicTaps(image.width, width, part.left, part.width);
  const rows = bicubicTaps(image.height, height, part.top, part.height);

  // Columns first, rounded to bytes, and then rows, as in Pillow; of the input's rows those that the second pass reads.
  const firstRow = rows[0]!.start;
  const lastRow = rows.at(-1)!.start + rows.at(-1)!.weights.length;
  const narrow = new Uint8ClampedArray(3 * part.width * (lastRow - firstRow));
  for (let y = firstRow, to = 0; y < lastRow; y++) {
    for (const { start, weights } of columns) {
      const from = 3 * (y * image.width + start);
      for (let channel = 0; channel < 3; channel++) narrow[to++] = weighted(image.data, from + channel, 3, weights);
    }
  }
  const data = new Uint8ClampedArray(3 * part.width * part.height);
  const stride = 3 * part.width;
  for (const [y, { start, weights }] of rows.entries()) {
    const from = (start - firstRow) * stride;
    for (let i = 0; i < stride; i++) data[y * stride + i] = weighted(narrow, from + i, stride, weights);
  }
  return { width: part.width, height: part.height, data };
}

/** The input pixels of an output pixel along one axis: those from `start`, with weights of 22 fractional bits. */
interface Taps {
  readonly start: number;
  readonly weights: Int32Array;
}

/** Returns the taps of output pixels `first` to `first + count`, when `inSize` pixels are scaled to `outSize`. */
function bicubicTaps(inSize: number, outSize: number, first: number, count: number): Taps[] {
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = 2 * filterScale;
  return Array.from({ length: count }, (_, i) => {
    const center = (first + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inSize, Math.trunc(center + support + 0.5));
    const exact = Array.from({ length: end - start }, (_, tap) =>
      bicubicKernel((start + tap - center + 0.5) / filterScale),
    );
    const total = exact.reduce((sum, weight) => sum + weight, 0);
    // Math.round would round −0.5 up, where Pillow rounds away from zero.
    const fixed = exact.map((weight) => {
      const bits = (weight / total) * 2 ** precision;
      return Math.trunc(bits < 0 ? bits - 0.5 : bits + 0.5);
    });
    return { start, weights: Int32Array.from(fixed) };
  });
}

function bicubicKernel(position: number): number {
  const x = Math.abs(position);
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Returns the rounded weighted sum of every `stride`-th value, starting at `from`. Assigning it to a byte clips it. */
function weighted(values: ArrayLike<number>, from: number, stride: number, weights: Int32Array): number {
  let sum = 2 ** (precision - 1);
  for (let tap = 0; tap < weights.length; tap++) sum += values[from + tap * stride]! * weights[tap]!;
  return sum >> precision;
}
