import { forEachInTurns, OptionError } from '@dalle-mini/core';
import { symmetricEigenvalues } from './symmetric-eigenvalues.js';

/** The mean and the covariance of feature vectors. */
export interface FeatureStatistics {
  /** `[width]`. */
  readonly mean: Float64Array;
  /** `[width, width]`, row-major, divided by the number of vectors minus one. */
  readonly covariance: Float64Array;
}

/**
 * Computes the statistics of feature vectors of one width.
 *
 * @throws OptionError if there are fewer than two vectors, or their widths differ.
 */
export async function featureStatistics(features: readonly Float32Array[]): Promise<FeatureStatistics> {
  const width = features[0]?.length ?? 0;
  if (features.length < 2) throw new OptionError('features', 'a list of at least two vectors', features);
  const other = features.findIndex((vector) => vector.length !== width);
  if (other >= 0)
    throw new OptionError(`features[${other}].length`, `${width}, as of the first`, features[other]!.length);
  const mean = new Float64Array(width);
  for (const vector of features) for (let i = 0; i < width; i++) mean[i] = mean[i]! + vector[i]! / features.length;
  const covariance = new Float64Array(width * width);
  await forEachInTurns(features, (vector) => {
    const centred = mean.map((value, i) => vector[i]! - value);
    for (let i = 0; i < width; i++) {
      const factor = centred[i]! / (features.length - 1);
      for (let j = 0; j < width; j++) covariance[i * width + j] = covariance[i * width + j]! + factor * centred[j]!;
    }
  });
  return { mean, covariance };
}

/**
 * Computes the Fréchet distance of two sets of feature vectors, as if each were from a normal distribution:
 * |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) (Dowson and Landau 1982; Heusel et al. 2017, equation 6). With other features than those of
 * Inception it is not the FID, and its values cannot be compared with FIDs.
 *
 * @throws OptionError if the widths differ.
 */
export async function frechetDistance(a: FeatureStatistics, b: FeatureStatistics): Promise<number> {
  const width = a.mean.length;
  if (b.mean.length !== width) throw new OptionError('b.mean.length', `${width}, as of a`, b.mean.length);
  // With Σ₁ = L Lᵀ, the product Σ₁Σ₂ has the eigenvalues of the symmetric matrix Lᵀ Σ₂ L.
  const factor = await choleskyFactor(a.covariance, width);
  const product = await multiply(await multiply(transpose(factor, width), b.covariance, width), factor, width);
  const eigenvalues = await symmetricEigenvalues(product, width);
  const distance = a.mean.reduce((sum, value, i) => sum + (value - b.mean[i]!) ** 2, 0);
  const traces = trace(a.covariance, width) + trace(b.covariance, width);
  // Rounding makes some eigenvalues of a singular matrix negative, and may make equal sets' distance negative.
  const root = eigenvalues.reduce((sum, value) => sum + Math.sqrt(Math.max(value, 0)), 0);
  return Math.max(0, distance + traces - 2 * root);
}

const trace = (matrix: Float64Array, width: number) =>
  Array.from({ length: width }, (_, i) => matrix[i * width + i]!).reduce((sum, value) => sum + value, 0);

const transpose = (matrix: Float64Array, width: number) =>
  matrix.map((_, i) => matrix[(i % width) * width + Math.floor(i / width)]!);

async function multiply(a: Float64Array, b: Float64Array, width: number): Promise<Float64Array> {
  const product = new Float64Array(width * width);
  await forEachInTurns(Array(width).keys(), (i) => {
    const row = product.subarray(i * width, (i + 1) * width);
    for (let k = 0; k < width; k++) {
      const factor = a[i * width + k]!;
      if (factor === 0) continue;
      for (let j = 0; j < width; j++) row[j] = row[j]! + factor * b[k * width + j]!;
    }
  });
  return product;
}

/** Variances below this share of the largest are rounding errors of a singular covariance. */
const smallestVariance = 1e-13;

/** Returns the lower triangular L of a positive semidefinite matrix L Lᵀ. Directions without variance have a column of zeros. */
async function choleskyFactor(matrix: Float64Array, width: number): Promise<Float64Array> {
  const factor = new Float64Array(width * width);
  const largest = Array.from({ length: width }, (_, i) => matrix[i * width + i]!).reduce((a, b) => Math.max(a, b), 0);
  const dot = (i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < j; k++) sum += factor[i * width + k]! * factor[j * width + k]!;
    return sum;
  };
  await forEachInTurns(Array(width).keys(), (j) => {
    const variance = matrix[j * width + j]! - dot(j, j);
    if (variance <= smallestVariance * largest) return;
    const deviation = Math.sqrt(variance);
    factor[j * width + j] = deviation;
    for (let i = j + 1; i < width; i++) factor[i * width + j] = (matrix[i * width + j]! - dot(i, j)) / deviation;
  });
  return factor;
}
