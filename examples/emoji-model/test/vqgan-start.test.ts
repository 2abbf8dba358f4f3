import { initializeParameters } from '@dalle-mini/graph/initializers';
import { tinyVqgan } from '@dalle-mini/testing/tiny-vqgan';
import { vqganParameters } from '@dalle-mini/vqgan';
import { expect, test } from 'vitest';
import { withLargerImages } from '../src/second-edition/vqgan-start.js';

test('a decoder with one level more keeps the parameters of the others', () => {
  const larger = { ...tinyVqgan, resolution: 2 * tinyVqgan.resolution, decoderChMult: [1, ...tinyVqgan.chMult] };
  const parameters = initializeParameters(vqganParameters(tinyVqgan), 1);
  const started = withLargerImages(parameters, larger, 2);
  expect([...started.keys()].sort()).toEqual([...vqganParameters(larger).keys()].sort());
  const name = (level: number) => `decoder.up.${level}.block.0.conv1.weight`;
  expect(started.get(name(1))).toBe(parameters.get(name(0)));
  expect(started.get(name(2))).toBe(parameters.get(name(1)));
  expect(started.get(name(0))).not.toEqual(parameters.get(name(0)));
  expect(started.get('encoder.conv_in.weight')).toBe(parameters.get('encoder.conv_in.weight'));
});
