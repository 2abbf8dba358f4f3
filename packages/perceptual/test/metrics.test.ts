import { OptionError, type RgbImage } from '@dalle-mini/core';
import {
  codebookUse,
  featureStatistics,
  frechetDistance,
  peakSignalToNoise,
  structuralSimilarity,
} from '@dalle-mini/perceptual';
import { Values } from '@dalle-mini/testing/values';
import { describe, expect, test } from 'vitest';
import { symmetricEigenvalues } from '../src/symmetric-eigenvalues.js';
import { pairs, reference, rowsOf } from './fixtures.js';

const filled = (value: number, width = 4, height = 4): RgbImage => ({
  width,
  height,
  data: new Uint8Array(3 * width * height).fill(value),
});

describe('the peak signal-to-noise ratio', () => {
  test.each(pairs)("of $name pictures is scikit-image's", ({ a, b, psnr }) => {
    expect(peakSignalToNoise(a, b)).toBeCloseTo(psnr, 4);
  });

  test('of black and white is 0 dB, the minimum', () => {
    expect(peakSignalToNoise(filled(0), filled(255))).toBe(0);
  });

  test('depends only on the absolute difference if all values differ by the same', () => {
    expect(peakSignalToNoise(filled(100), filled(125))).toBeCloseTo(20 * Math.log10(255 / 25), 12);
    expect(peakSignalToNoise(filled(125), filled(100))).toBeCloseTo(20 * Math.log10(255 / 25), 12);
  });

  test('uses the mean over all values, not only those that differ', () => {
    const one = filled(0);
    one.data[7] = 255;
    // One of 48 values differs by the whole range.
    expect(peakSignalToNoise(filled(0), one)).toBeCloseTo(10 * Math.log10(48), 12);
  });

  test('of equal images is infinite', () => {
    expect(peakSignalToNoise(filled(9), filled(9))).toBe(Number.POSITIVE_INFINITY);
  });

  test('of images of different sizes is refused, even with the same number of pixels', () => {
    expect(() => peakSignalToNoise(filled(0, 2, 8), filled(0))).toThrow(OptionError);
    expect(() => peakSignalToNoise(filled(0, 2, 8), filled(0))).toThrow(
      'b must be an image of 2×8 pixels, as a, not "4×4".',
    );
  });
});

describe('the structural similarity', () => {
  test.each(pairs)("of $name pictures is scikit-image's", ({ a, b, ssim }) => {
    expect(structuralSimilarity(a, b)).toBeCloseTo(ssim, 5);
  });

  test('of equal images is 1', () => {
    expect(structuralSimilarity(pairs[0]!.a, pairs[0]!.a)).toBeCloseTo(1, 12);
  });

  test('needs images of at least one window', () => {
    expect(structuralSimilarity(filled(7, 11, 11), filled(7, 11, 11))).toBeCloseTo(1, 12);
    expect(() => structuralSimilarity(filled(7, 10, 20), filled(7, 10, 20))).toThrow(
      'a must be an image of at least 11×11 pixels, not "10×20".',
    );
  });
});

describe('the use of a codebook', () => {
  test('is the share of the codes that appear, and the perplexity of their frequencies', () => {
    const use = codebookUse([Int32Array.of(0, 1, 2, 3), Int32Array.of(3, 2, 1, 0)], 16);
    expect(use.used).toBe(0.25);
    expect(use.perplexity).toBeCloseTo(4, 12);
  });

  test('has a lower perplexity if the codes appear unevenly', () => {
    const { used, perplexity } = codebookUse([Int32Array.of(0, 0, 0, 1)], 2);
    expect(used).toBe(1);
    // exp(−¾ ln ¾ − ¼ ln ¼)
    expect(perplexity).toBeCloseTo((4 / 3) ** 0.75 * 4 ** 0.25, 12);
  });
});

describe('the Fréchet distance', () => {
  test.each(['many', 'few'])("of %s vectors is scipy's", async (name) => {
    const [a, b] = [rowsOf(`frechet.${name}.a`), rowsOf(`frechet.${name}.b`)];
    const distance = await frechetDistance(await featureStatistics(a), await featureStatistics(b));
    const [expected] = reference(`frechet.${name}.distance`) as unknown as [number];
    expect(Math.abs(distance / expected - 1)).toBeLessThan(1e-5);
  });

  test('of equal sets is 0', async () => {
    const statistics = await featureStatistics(rowsOf('frechet.many.a'));
    const scale = statistics.covariance.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect((await frechetDistance(statistics, statistics)) / scale).toBeLessThan(1e-6);
  });

  test('of sets without variance is the squared distance of their means', async () => {
    const still = (...values: number[]) => featureStatistics([Float32Array.from(values), Float32Array.from(values)]);
    expect(await frechetDistance(await still(1, 2), await still(4, 6))).toBe(25);
  });

  test('needs two vectors of one width', async () => {
    await expect(featureStatistics([Float32Array.of(1)])).rejects.toThrow('a list of at least two vectors');
    await expect(featureStatistics([Float32Array.of(1), Float32Array.of(1, 2)])).rejects.toThrow(
      'features[1].length must be 1, as of the first, not 2.',
    );
    const [narrow, wide] = await Promise.all(
      [1, 2].map((width) => featureStatistics(Array(2).fill(new Float32Array(width)))),
    );
    await expect(frechetDistance(narrow!, wide!)).rejects.toThrow('b.mean.length must be 1, as of a, not 2.');
  });
});

describe('the eigenvalues of a symmetric matrix', () => {
  const sorted = async (rows: readonly (readonly number[])[]) =>
    [...(await symmetricEigenvalues(Float64Array.from(rows.flat()), rows.length))].sort((a, b) => a - b);

  test('are exact for small matrices', async () => {
    expect(await sorted([])).toEqual([]);
    expect(await sorted([[3]])).toEqual([3]);
    for (const [i, value] of (
      await sorted([
        [2, 1],
        [1, 2],
      ])
    ).entries())
      expect(value).toBeCloseTo([1, 3][i]!, 12);
    expect(
      await sorted([
        [2, 0, 0],
        [0, 2, 0],
        [0, 0, -1],
      ]),
    ).toEqual([-1, 2, 2]);
    // The second difference has the eigenvalues 2 − 2 cos(k π / (n + 1)).
    const n = 20;
    const differences = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0)),
    );
    for (const [i, value] of (await sorted(differences)).entries())
      expect(value).toBeCloseTo(2 - 2 * Math.cos(((i + 1) * Math.PI) / (n + 1)), 12);
  });

  test('have the trace as their sum, and the squares of the elements as the sum of their squares', async () => {
    const n = 30;
    const { data } = new Values(5).floats([n, n]);
    const rows = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => data[i * n + j]! + data[j * n + i]!),
    );
    const eigenvalues = await sorted(rows);
    const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
    expect(total(eigenvalues)).toBeCloseTo(total(rows.map((row, i) => row[i]!)), 10);
    expect(total(eigenvalues.map((value) => value ** 2))).toBeCloseTo(
      total(rows.flat().map((value) => value ** 2)),
      10,
    );
  });
});
