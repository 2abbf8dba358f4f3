import { input, ParameterScope } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { perceptualFeatures } from '@dalle-mini/perceptual';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { relativeError } from '@dalle-mini/testing/values';
import { afterAll, expect, test } from 'vitest';
import { blurred, pixelsOf, testLpips } from '../compare-lpips.js';
import { reference } from '../fixtures.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

testLpips('vgg16');

test('the features of an image are the means of the last activations', async () => {
  const pixels = pixelsOf(blurred.a);
  const images = input('images', pixels.shape);
  const features = perceptualFeatures(new ParameterScope(), 'vgg16', images);
  const executable = await runtime.compile(
    { inputs: { images }, outputs: { features } },
    { parameters: await readPerceptualWeights('vgg16') },
  );
  const computed = (await executable.run({ images: pixels })).features!;
  await executable.dispose();
  expect(computed.shape).toEqual([1, 512]);
  expect(relativeError(computed.data, reference('features'))).toBeLessThan(1e-4);
});
