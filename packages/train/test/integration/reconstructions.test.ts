import { join } from 'node:path';
import { createRandom, type ImageTokenizer, type Progress, type RgbImage } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { featureStatistics, frechetDistance, peakSignalToNoise, structuralSimilarity } from '@dalle-mini/perceptual';
import { openLpips } from '@dalle-mini/perceptual/node';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { evaluateReconstructions } from '@dalle-mini/train';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const size = 32;
const random = createRandom(3);
const images: RgbImage[] = Array.from({ length: 10 }, (_, image) => ({
  width: size,
  height: size,
  data: Uint8Array.from({ length: 3 * size * size }, (_, i) => 12 * image + ((i >> 4) % 5) * 20 + random.integer(30)),
}));
const dataset = { length: images.length, get: async (index: number) => ({ image: images[index]! }) };

/** A tokenizer whose token is the number of the image, and whose reconstructions are brighter by 10. */
const tokenizer: ImageTokenizer = {
  imageSize: size,
  gridSize: 1,
  vocabularySize: 20,
  encode: async (given) => given.map((image) => Int32Array.of(images.indexOf(image))),
  decode: async (grids) =>
    grids.map((grid) => ({ width: size, height: size, data: images[grid[0]!]!.data.map((value) => value + 10) })),
  dispose: async () => {},
};
const reconstructions = await tokenizer.decode(images.map((_, i) => Int32Array.of(i)));
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('evaluateReconstructions', () => {
  test('returns the mean of each measure over all images', async () => {
    const reported: Progress[] = [];
    const figures = await evaluateReconstructions(tokenizer, dataset, {
      runtime,
      onProgress: (progress) => reported.push(progress),
    });
    const pairs = images.map((image, i) => [image, reconstructions[i]!] as const);
    expect(figures.images).toBe(10);
    expect(figures.psnr).toBeCloseTo(mean(pairs.map((pair) => peakSignalToNoise(...pair))), 10);
    expect(figures.ssim).toBeCloseTo(mean(pairs.map((pair) => structuralSimilarity(...pair))), 10);
    const vgg16 = await (await openLpips({ network: 'vgg16', runtime })).compare(images, reconstructions);
    const alexNet = await (await openLpips({ network: 'alexnet', runtime })).compare(images, reconstructions);
    expect(figures.lpipsVgg16).toBeCloseTo(mean(vgg16.distances), 6);
    expect(figures.lpipsAlexNet).toBeCloseTo(mean(alexNet.distances), 6);
    const statistics = await Promise.all([vgg16.featuresA, vgg16.featuresB].map(featureStatistics));
    expect(figures.frechetVgg16).toBeCloseTo(await frechetDistance(statistics[0]!, statistics[1]!), 4);
    // Ten of twenty codes, each once.
    expect(figures.codesUsed).toBe(0.5);
    expect(figures.perplexity).toBeCloseTo(10, 10);
    expect(reported.map(({ stage, done, total }) => [stage, done, total])).toEqual([
      ['evaluate', 0, 10],
      ['evaluate', 8, 10],
      ['evaluate', 10, 10],
    ]);
  });

  test('measures a number of images that are evenly spread, and counts exact ones as 100 dB', async () => {
    const exact = {
      ...tokenizer,
      decode: async (grids: readonly Int32Array[]) => grids.map((grid) => images[grid[0]!]!),
    };
    const figures = await evaluateReconstructions(exact, dataset, { runtime, count: 1 });
    expect(figures).toEqual({
      images: 1,
      psnr: 100,
      ssim: expect.closeTo(1, 12),
      lpipsVgg16: 0,
      lpipsAlexNet: 0,
      frechetVgg16: undefined,
      codesUsed: 0.05,
      perplexity: 1,
    });
  });

  test('writes a sheet of images, reconstructions and differences', async () => {
    const sheet = join(await temporaryFolder(), 'sheet.png');
    await evaluateReconstructions(tokenizer, dataset, { runtime, count: 2, sheet });
    const { data, info } = await sharp(sheet).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([6 * (size + 2) + 2, size + 4]);
    const at = (column: number) => data[3 * (2 * info.width + column * (size + 2) + 2)];
    const shown = [images[0]!, reconstructions[0]!].map((image) => image.data[0]);
    expect([at(0), at(1), at(2)]).toEqual([...shown, 40]);
    expect(at(3)).toBe(images[5]!.data[0]);
  });

  test('stops when its signal aborts, without a sheet', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    const sheet = join(await temporaryFolder(), 'sheet.png');
    await expect(evaluateReconstructions(tokenizer, dataset, { runtime, sheet, signal })).rejects.toThrow('stopped');
    await expect(sharp(sheet).metadata()).rejects.toThrow('missing');
  });
});
