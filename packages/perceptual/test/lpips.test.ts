import { OptionError } from '@dalle-mini/core';
import { GraphError, sizeOf } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { importPerceptual, LpipsMetric, perceptualNetworks, perceptualParameters } from '@dalle-mini/perceptual';
import { openLpips } from '@dalle-mini/perceptual/node';
import { relativeError } from '@dalle-mini/testing/values';
import { CheckpointError } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { testLpips } from './compare-lpips.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

// VGG16 takes seconds: it is among the integration tests.
testLpips('alexnet');

test('the networks are VGG16 and AlexNet', () => {
  expect(perceptualNetworks).toEqual(['vgg16', 'alexnet']);
});

describe('LpipsMetric', () => {
  const image = (width: number, height = width) => ({ width, height, data: new Uint8Array(3 * width * height) });
  const filled = { ...image(64), data: new Uint8Array(3 * 64 * 64).fill(200) };

  test('gives the features of both images of each pair', async () => {
    const metric = await openLpips({ network: 'alexnet', runtime });
    const { featuresA, featuresB } = await metric.compare([image(64), filled], [filled, filled]);
    expect(featuresA.map(({ length }) => length)).toEqual([256, 256]);
    expect(relativeError(featuresB[0]!, featuresA[0]!)).toBeGreaterThan(0.1);
    expect(relativeError(featuresB[1]!, featuresA[1]!)).toBeLessThan(1e-6);
    expect(relativeError(featuresB[0]!, featuresA[1]!)).toBeLessThan(1e-6);
  });

  test('refuses images that do not pair, with what must be', async () => {
    const metric = await openLpips({ network: 'alexnet', runtime });
    await expect(metric.compare([image(64)], [])).rejects.toThrow(OptionError);
    await expect(metric.compare([image(64)], [image(64, 32)])).rejects.toThrow(
      'b[0] must be an image of 64 × 64 pixels, as a[0], not "64 × 32".',
    );
  });

  test('refuses images that are too small for the network', async () => {
    const metric = await openLpips({ network: 'alexnet', runtime });
    await expect(metric.compare([image(30)], [image(30)])).rejects.toThrow(
      'Images must have at least 31 × 31 pixels for alexnet, not 30 × 30. Enlarge them, or use vgg16.',
    );
    await expect(metric.compare([image(30)], [image(30)])).rejects.toThrow(GraphError);
    expect((await metric.compare([image(31)], [image(31)])).distances).toEqual(Float32Array.of(0));
  });

  test('stops when its signal aborts', async () => {
    const metric = await openLpips({ network: 'alexnet', runtime });
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(metric.compare([image(64)], [image(64)], { signal })).rejects.toThrow('stopped');
  });

  test('cannot be used after it was disposed of', async () => {
    const metric = new LpipsMetric('alexnet', new Map(), { runtime });
    await metric.dispose();
    await expect(metric.compare([image(64)], [image(64)])).rejects.toThrow('This LpipsMetric was disposed of.');
  });
});

test.each([
  ['vgg16', 13, 14_714_688 + 64 + 128 + 256 + 512 + 512],
  ['alexnet', 5, 2_469_696 + 64 + 192 + 384 + 256 + 256],
] as const)(
  'the parameters of %s are those of its %d convolutions and of five heads',
  (network, convolutions, total) => {
    const parameters = perceptualParameters(network);
    expect(parameters.size).toBe(2 * convolutions + 5);
    expect([...parameters.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(total);
  },
);

test('a checkpoint without the weights is refused with their names', () => {
  expect(() => importPerceptual(new Map(), 'vgg16')).toThrow(CheckpointError);
  expect(() => importPerceptual(new Map(), 'vgg16')).toThrow('features.0.weight, features.0.bias');
});
