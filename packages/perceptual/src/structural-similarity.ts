import { OptionError, type RgbImage } from '@dalle-mini/core';
import { requireSameSize } from './peak-signal-to-noise.js';

/** The window of Wang et al. 2004: 11 × 11 pixels, weighted by a Gaussian of standard deviation 1.5. */
const radius = 5;
const window = (() => {
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * 1.5 ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float64Array.from(weights, (weight) => weight / total);
})();

/** Constants that keep the quotients stable in even areas: (0.01 · 255)² and (0.03 · 255)². */
const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];

/**
 * Returns the structural similarity index of two images of the same size, −1 to 1, 1 if they are equal (Wang et al. 2004): the mean over
 * the windows inside the images and over the three channels. It equals `structural_similarity` of scikit-image with
 * `gaussian_weights=True`, `sigma=1.5`, `use_sample_covariance=False` and `channel_axis=2`.
 *
 * @throws OptionError if their sizes differ, or a side is shorter than 11 pixels.
 */
export function structuralSimilarity(a: RgbImage, b: RgbImage): number {
  requireSameSize(a, b);
  if (Math.min(a.width, a.height) < window.length)
    throw new OptionError(
      'a',
      `an image of at least ${window.length}×${window.length} pixels`,
      `${a.width}×${a.height}`,
    );
  let total = 0;
  for (let channel = 0; channel < 3; channel++) total += similarityOfChannel(a, b, channel);
  return total / 3;
}

function similarityOfChannel(a: RgbImage, b: RgbImage, channel: number): number {
  const [x, y] = [planeOf(a, channel), planeOf(b, channel)];
  const averages = (values: Float64Array) => windowAverages(values, a.width, a.height);
  const [meanX, meanY] = [averages(x), averages(y)];
  const meanXX = averages(x.map((value) => value * value));
  const meanYY = averages(y.map((value) => value * value));
  const meanXY = averages(x.map((value, i) => value * y[i]!));
  let sum = 0;
  for (let i = 0; i < meanX.length; i++) {
    const [mx, my] = [meanX[i]!, meanY[i]!];
    const [varianceX, varianceY, covariance] = [meanXX[i]! - mx * mx, meanYY[i]! - my * my, meanXY[i]! - mx * my];
    sum += ((2 * mx * my + c1) * (2 * covariance + c2)) / ((mx * mx + my * my + c1) * (varianceX + varianceY + c2));
  }
  return sum / meanX.length;
}

function planeOf({ width, height, data }: RgbImage, channel: number): Float64Array {
  const plane = new Float64Array(width * height);
  for (let pixel = 0; pixel < plane.length; pixel++) plane[pixel] = data[3 * pixel + channel]!;
  return plane;
}

/** Averages the values of each window that is inside the image, first along rows and then along columns. */
function windowAverages(values: Float64Array, width: number, height: number): Float64Array {
  const [columns, rows] = [width - 2 * radius, height - 2 * radius];
  const lines = new Float64Array(columns * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let tap = 0; tap < window.length; tap++) sum += window[tap]! * values[y * width + x + tap]!;
      lines[y * columns + x] = sum;
    }
  }
  const averages = new Float64Array(columns * rows);
  for (let i = 0; i < averages.length; i++) {
    let sum = 0;
    for (let tap = 0; tap < window.length; tap++) sum += window[tap]! * lines[i + tap * columns]!;
    averages[i] = sum;
  }
  return averages;
}
