import { object, readConfig, sizeFields } from '@dalle-mini/core';
import { constant, type Tensor } from '@dalle-mini/graph';
import { interpret, loadTfjs } from '@dalle-mini/graph/tfjs';
import {
  activations,
  checkTransformer,
  type TransformerConfig,
  tokenPositions,
  transformerFields,
} from '@dalle-mini/transformer';
import { expect, test } from 'vitest';

const sizes = { width: 8, layers: 1, heads: 2, feedForwardWidth: 12 };

test.each([
  [{ ...sizes, layers: 1e6 }, 'layers must be a whole number from 1 to 1024, not 1000000.'],
  [{ ...sizes, width: 2 ** 17 + 2 }, 'width must be a whole number from 1 to 131072, not 131074.'],
  [{ ...sizes, heads: 3 }, 'width must be a multiple of the 3 heads, not 8.'],
  [{ ...sizes, normPositions: 'postln', finalNorm: false }, 'finalNorm must be true where normPositions is "postln"'],
  [{ ...sizes, activation: 'sine' }, 'activation must be "gelu"'],
])('a transformer of %j is refused by the name of the field', (config, message) => {
  const fields = object<TransformerConfig>(transformerFields, { check: checkTransformer });
  expect(readConfig(fields, sizes, 'config.json')).toEqual(sizes);
  expect(() => readConfig(fields, config, 'config.json')).toThrow(`config.json: ${message}`);
});

test('the sizes of models have bounds', () => {
  const fields = object<{ gridSize: number }>({ gridSize: sizeFields.gridSize });
  expect(readConfig(fields, { gridSize: 512 }, 'config.json')).toEqual({ gridSize: 512 });
  expect(() => readConfig(fields, { gridSize: 513 }, 'config.json')).toThrow('gridSize must be a whole number from 1');
});

/** The values of a tensor that needs no input. */
const tf = await loadTfjs();
const valuesOf = (tensor: Tensor) => [...interpret(tf, { inputs: {}, outputs: { tensor } }, {}).tensor!.dataSync()];

// torch.nn.functional's gelu, gelu(approximate='tanh'), silu and tanh at −2, −0.5, 0.5 and 2, and x · σ(1.702 x).
test.each([
  ['gelu', [-0.0455, -0.15427, 0.34573, 1.9545]],
  ['gelu_new', [-0.0454, -0.15429, 0.34571, 1.9546]],
  ['quick_gelu', [-0.06434, -0.14961, 0.35039, 1.93566]],
  ['silu', [-0.23841, -0.18877, 0.31123, 1.76159]],
  ['relu', [0, 0, 0.5, 2]],
  ['smelu', [0.25, 0.0625, 0.5625, 2]],
  ['tanh', [-0.96403, -0.46212, 0.46212, 0.96403]],
] as const)('the activation %s has its values', (name, expected) => {
  const x = constant({ dtype: 'float32', shape: [4], data: Float32Array.of(-2, -0.5, 0.5, 2) });
  for (const [i, value] of valuesOf(activations[name](x)).entries()) expect(value).toBeCloseTo(expected[i]!, 4);
});

test('tokens have the positions from 0 in each caption, whatever they are', () => {
  const ids = constant({ dtype: 'int32', shape: [2, 3], data: Int32Array.of(5, 0, 7, 1, 1, 9) });
  expect(tokenPositions(ids).dtype).toBe('int32');
  expect(valuesOf(tokenPositions(ids))).toEqual([0, 1, 2, 0, 1, 2]);
});
