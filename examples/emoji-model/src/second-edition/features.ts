/** How pictures are compared: by features of VGG16, the network of LPIPS, and by colors. */
import type { RgbImage } from '@dalle-mini/core';
import type { Runtime } from '@dalle-mini/graph';
import { LpipsMetric } from '@dalle-mini/perceptual';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { pictureFeature } from '../picture-feature.js';
import { crop } from './pictures.js';

/** Weight of the mean colors of 16×16 cells, next to VGG16's vectors of length 1. */
const colorWeight = 0.15;

/** Computes the features of pictures that are 64 pixels wide. */
export interface FeatureExtractor {
  /**
   * Returns for each picture five vectors of VGG16 of length 1, of the whole of it and of its four quarters, and its mean colors. The
   * Euclidean distance of two features says how alike pictures look.
   */
  featuresOf(images: readonly RgbImage[]): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

/** Loads VGG16. Its features are the last activations that LPIPS compares, after the 13th convolution, averaged over pixels. */
export async function featureExtractor(runtime: Runtime): Promise<FeatureExtractor> {
  const metric = new LpipsMetric('vgg16', await readPerceptualWeights('vgg16'), { runtime });
  /** Reads the features off a comparison of each picture of the first half with one of the second. */
  const pooled = async (images: readonly RgbImage[]): Promise<readonly Float32Array[]> => {
    const middle = Math.ceil(images.length / 2);
    const first = images.slice(0, middle);
    const { featuresA, featuresB } = await metric.compare(first, [...images.slice(middle), ...first].slice(0, middle));
    return [...featuresA, ...featuresB].slice(0, images.length);
  };
  return {
    async featuresOf(images) {
      const whole = await pooled(images);
      const quarters = await pooled(images.flatMap(quartersOf));
      return whole.map((vector, i) =>
        joined([vector, ...quarters.slice(4 * i, 4 * i + 4)], pictureFeature(images[i]!)),
      );
    },
    dispose: () => metric.dispose(),
  };
}

function quartersOf(image: RgbImage): RgbImage[] {
  const side = image.width / 2;
  return [0, side].flatMap((top) => [0, side].map((left) => crop(image, left, top, side)));
}

/** Gives each vector the length 1, and joins them with the colors. */
function joined(vectors: readonly Float32Array[], colors: Float32Array): Float32Array {
  const width = vectors[0]!.length;
  const result = new Float32Array(vectors.length * width + colors.length);
  result.set(
    colors.map((value) => colorWeight * value),
    vectors.length * width,
  );
  for (const [i, vector] of vectors.entries()) {
    const length = Math.hypot(...vector) || 1;
    result.set(
      vector.map((value) => value / length),
      i * width,
    );
  }
  return result;
}
