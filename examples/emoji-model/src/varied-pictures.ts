import { type Dataset, flipHorizontally, mayFlip, type Sample } from '@dalle-mini/data';
import { createRandom, sampleInteger } from '@dalle-mini/graph';
import type { RgbImage } from '@dalle-mini/vqgan';

/** Pixels that a picture is moved by at most, along rows and along columns. */
const largestShift = 2;

/**
 * Every picture several times: once as it is, then moved by a few pixels, every other time mirrored where its captions allow
 * it. Few pictures are learned by heart less easily so. The variants of a picture keep its group.
 */
export function variedPictures(dataset: Dataset, variants: number, seed: number): Dataset {
  return {
    length: dataset.length * variants,
    async get(index) {
      const variant = index % variants;
      const sample: Sample = await dataset.get(Math.floor(index / variants));
      const key = `${sample.key}#${variant}`;
      if (variant === 0) return { ...sample, key };
      const random = createRandom(seed, index);
      const mirrored = variant % 2 === 1 && sample.captions.every(mayFlip);
      const image = mirrored ? flipHorizontally(sample.image) : sample.image;
      const distance = () => sampleInteger(random, 2 * largestShift + 1) - largestShift;
      return { ...sample, key, image: shift(image, distance(), distance()) };
    },
  };
}

/** The picture moved right and down; what comes in is white. */
function shift({ width, height, data }: RgbImage, right: number, down: number): RgbImage {
  const moved = new Uint8Array(data.length).fill(255);
  const rowStart = Math.max(0, right);
  const rowLength = width - Math.abs(right);
  for (let y = Math.max(0, down); y < Math.min(height, height + down); y++) {
    const source = 3 * ((y - down) * width + rowStart - right);
    moved.set(data.subarray(source, source + 3 * rowLength), 3 * (y * width + rowStart));
  }
  return { width, height, data: moved };
}
