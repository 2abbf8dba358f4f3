import type { RgbImage } from '@dalle-mini/core';
import { input, ParameterScope, sum, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import { lpips, type PerceptualNetwork } from '@dalle-mini/perceptual';
import { openLpips, readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { relativeError } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';
import { pairs, reference } from './fixtures.js';

export function pixelsOf({ width, height, data }: RgbImage): TensorData {
  const values = Float32Array.from({ length: 3 * width * height }, (_, i) => {
    const [channel, pixel] = [Math.floor(i / (width * height)), i % (width * height)];
    return data[3 * pixel + channel]! / 127.5 - 1;
  });
  return { dtype: 'float32', shape: [1, 3, height, width], data: values };
}

export const blurred = pairs.find(({ name }) => name === 'blurred')!;
const flat = pairs.find(({ name }) => name === 'flat')!;

/** Compares LPIPS, with the weights of this package, with what the Python package computes. */
export function testLpips(network: PerceptualNetwork): void {
  describe(`LPIPS with ${network}`, () => {
    const runtime = new OnnxRuntime({ threads: 1 });
    afterAll(() => runtime.dispose());

    test('has the values of the Python package', async () => {
      const metric = await openLpips({ network, runtime });
      const [a, b] = [pairs.map((pair) => pair.a), pairs.map((pair) => pair.b)];
      const { distances } = await metric.compare(a, b);
      // The weights are rounded to half precision.
      for (const [i, pair] of pairs.entries())
        expect(Math.abs(distances[i]! - pair.lpips[network]), `${pair.name}: ${distances[i]}`).toBeLessThan(1e-4);
      await metric.dispose();
    });

    const build = ({ a, b }: { a: RgbImage; b: RgbImage }) => {
      const [x, y] = [pixelsOf(a), pixelsOf(b)];
      const inputs = { x: input('x', x.shape), y: input('y', y.shape) };
      const distance = sum(lpips(new ParameterScope(), network, inputs.x, inputs.y));
      const [byX] = grad(distance, [inputs.x]);
      return { graph: { inputs, outputs: { distance, byX: byX! } }, feeds: { x, y } };
    };

    test('has the gradient of the Python package', async () => {
      const { graph, feeds } = build(blurred);
      const executable = await runtime.compile(graph, { parameters: await readPerceptualWeights(network) });
      const { byX } = await executable.run(feeds);
      await executable.dispose();
      // Float32 sums in another order, through up to 13 convolutions forwards and backwards.
      expect(relativeError(byX!.data, reference(`gradient.${network}`))).toBeLessThan(1e-3);
    });

    test('has a finite gradient for even areas and for equal images', async () => {
      const { graph, feeds } = build(flat);
      const executable = await runtime.compile(graph, { parameters: await readPerceptualWeights(network) });
      for (const images of [feeds, { x: feeds.y, y: feeds.y }]) {
        const { byX } = await executable.run(images);
        expect(byX!.data.every(Number.isFinite)).toBe(true);
      }
      const { byX, distance } = await executable.run({ x: feeds.y, y: feeds.y });
      expect(distance!.data[0]).toBe(0);
      expect(byX!.data.every((value) => value === 0)).toBe(true);
      await executable.dispose();
    });
  });
}
