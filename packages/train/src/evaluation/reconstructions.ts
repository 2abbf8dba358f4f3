import {
  abortSignal,
  callback,
  type ImageTokenizer,
  integer,
  nextTurn,
  object,
  optional,
  type Progress,
  type RgbImage,
  readOptions,
  string,
} from '@dalle-mini/core';
import type { Dataset } from '@dalle-mini/data';
import { type Runtime, runtimeField } from '@dalle-mini/graph';
import {
  codebookUse,
  featureStatistics,
  frechetDistance,
  LpipsMetric,
  peakSignalToNoise,
  structuralSimilarity,
} from '@dalle-mini/perceptual';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { writeSampleSheet } from './sample-sheet.js';
import { spreadIndices } from './spread.js';

/** How well an image tokenizer reconstructs images. Higher is better for PSNR and SSIM, lower for LPIPS and the Fréchet distance. */
export interface ReconstructionFigures {
  /** Number of images that were measured. */
  readonly images: number;
  /** Mean peak signal-to-noise ratio in decibels; an exact reconstruction counts as 100. */
  readonly psnr: number;
  /** Mean structural similarity, at most 1 (Wang et al. 2004). */
  readonly ssim: number;
  /** Mean LPIPS v0.1 distance with VGG16 (Zhang et al. 2018). */
  readonly lpipsVgg16: number;
  /** Mean LPIPS v0.1 distance with AlexNet. */
  readonly lpipsAlexNet: number;
  /**
   * Fréchet distance between the images and their reconstructions, over the means of VGG16's last activations. It is not the FID, and is
   * comparable only for the same number of images. `undefined` for one image.
   */
  readonly frechetVgg16: number | undefined;
  /** Share of the codebook that the images use, 0 to 1. */
  readonly codesUsed: number;
  /** exp of the entropy of the codes' frequencies, 1 to the size of the codebook. */
  readonly perplexity: number;
}

export interface EvaluateOptions {
  /** The runtime for LPIPS, which the caller disposes of. */
  readonly runtime: Runtime;
  /** Number of images, evenly spread over the dataset. Default: all. */
  readonly count?: number | undefined;
  /** The path of a PNG file to write: a row for each of the first images, see {@link evaluateReconstructions}. Default: none. */
  readonly sheet?: string | undefined;
  /** Stops between batches. The promise rejects with the signal's reason, and no sheet is written. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

const evaluateFields = object<EvaluateOptions>({
  runtime: runtimeField,
  count: optional(integer({ min: 1 })),
  sheet: optional(string()),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

/** Images that are read, reconstructed and compared at once. */
const batchSize = 8;
/** Images on a sheet, three columns each. */
const sheetImages = 32;
const sheetColumns = 12;
/** The ratio of an exact reconstruction in decibels, higher than any other ratio of 8-bit images. */
const exactRatio = 100;

/**
 * Measures how well an image tokenizer reconstructs images of its size, of at least 31 pixels. The sheet shows the first 32 images, each
 * followed by its reconstruction and by the absolute difference, four times as bright.
 *
 * @throws OptionError if an option is wrong or an image has another size; FileError if the sheet cannot be written; the reason of
 *   `signal` if it aborts.
 *
 * @example
 * ```ts
 * import { openImageFiles } from '@dalle-mini/data';
 * import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
 * import { evaluateReconstructions } from '@dalle-mini/train';
 * import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
 *
 * const runtime = new OnnxRuntime();
 * const tokenizer = await openVqganTokenizer('vqgan', { runtime });
 * const pictures = await openImageFiles('pictures', { imageSize: tokenizer.imageSize });
 * const { psnr, lpipsVgg16 } = await evaluateReconstructions(tokenizer, pictures, { runtime });
 * console.log(`${psnr.toFixed(2)} dB, LPIPS ${lpipsVgg16.toFixed(3)}`);
 * await runtime.dispose();
 * ```
 */
export async function evaluateReconstructions(
  tokenizer: ImageTokenizer,
  dataset: Dataset<{ readonly image: RgbImage }>,
  options: EvaluateOptions,
): Promise<ReconstructionFigures> {
  const { runtime, count, sheet, signal, onProgress } = readOptions(evaluateFields, options, 'evaluateReconstructions');
  const indices = spreadIndices(dataset, count);
  const vgg16 = new LpipsMetric('vgg16', await readPerceptualWeights('vgg16'), { runtime });
  const alexNet = new LpipsMetric('alexnet', await readPerceptualWeights('alexnet'), { runtime });
  const totals = { psnr: 0, ssim: 0, lpipsVgg16: 0, lpipsAlexNet: 0 };
  const features: { originals: Float32Array[]; reconstructions: Float32Array[] } = {
    originals: [],
    reconstructions: [],
  };
  const grids: Int32Array[] = [];
  const shown: RgbImage[] = [];
  try {
    for (let start = 0; start < indices.length; start += batchSize) {
      signal?.throwIfAborted();
      onProgress?.({ stage: 'evaluate', done: start, total: indices.length, unit: 'samples' });
      const samples = await Promise.all(indices.slice(start, start + batchSize).map((index) => dataset.get(index)));
      const images = samples.map(({ image }) => image);
      const tokens = await tokenizer.encode(images, { signal });
      const decoded = await tokenizer.decode(tokens, { signal });
      const byVgg16 = await vgg16.compare(images, decoded, { signal });
      const byAlexNet = await alexNet.compare(images, decoded, { signal });
      for (const [i, image] of images.entries()) {
        totals.psnr += Math.min(exactRatio, peakSignalToNoise(image, decoded[i]!));
        totals.ssim += structuralSimilarity(image, decoded[i]!);
        totals.lpipsVgg16 += byVgg16.distances[i]!;
        totals.lpipsAlexNet += byAlexNet.distances[i]!;
        if (shown.length < 3 * sheetImages) shown.push(image, decoded[i]!, differenceOf(image, decoded[i]!));
        await nextTurn();
      }
      grids.push(...tokens);
      features.originals.push(...byVgg16.featuresA);
      features.reconstructions.push(...byVgg16.featuresB);
    }
  } finally {
    await Promise.all([vgg16.dispose(), alexNet.dispose()]);
  }
  onProgress?.({ stage: 'evaluate', done: indices.length, total: indices.length, unit: 'samples' });
  const { used, perplexity } = codebookUse(grids, tokenizer.vocabularySize);
  const frechetVgg16 = indices.length < 2 ? undefined : await distanceOf(features);
  if (sheet !== undefined) await writeSampleSheet(sheet, shown, Math.min(sheetColumns, shown.length));
  const means = Object.fromEntries(Object.entries(totals).map(([name, total]) => [name, total / indices.length]));
  return { images: indices.length, ...(means as typeof totals), frechetVgg16, codesUsed: used, perplexity };
}

async function distanceOf(features: { originals: readonly Float32Array[]; reconstructions: readonly Float32Array[] }) {
  const { originals, reconstructions } = features;
  return frechetDistance(await featureStatistics(originals), await featureStatistics(reconstructions));
}

/** Returns the absolute difference of two images, four times as bright. */
function differenceOf(a: RgbImage, b: RgbImage): RgbImage {
  return { ...a, data: Uint8ClampedArray.from(a.data, (value, i) => 4 * Math.abs(value - b.data[i]!)) };
}
