import { object, readConfig } from '@dalle-mini/core';
import { input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { Values } from '@dalle-mini/testing/values';
import { type DiscriminatorConfig, discriminate, discriminatorFields } from '@dalle-mini/vqgan';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** Computes the logits of images and the new values of parameters. */
async function run(images: TensorData, config: DiscriminatorConfig, changes: Record<string, TensorData> = {}) {
  const scope = new ParameterScope();
  const inputs = { images: input('images', images.shape) };
  const logits = discriminate(scope, inputs.images, config);
  const parameters = new Map([...initializeParameters(scope.parameters, 1), ...Object.entries(changes)]);
  const outputs = { logits, ...Object.fromEntries(scope.assignments) };
  const executable = await runtime.compile({ inputs, outputs }, { parameters });
  const results = await executable.run({ images });
  await executable.dispose();
  return results;
}

describe('a discriminator', () => {
  test.each([
    [{ layers: 1, width: 2 }, 16, 6],
    [{ layers: 2, width: 2 }, 16, 2],
    [{ layers: 3, width: 2 }, 64, 6],
    [{ width: 2 }, 24, 1],
  ])('of %j has for images of %d pixels a grid of %d logits a side', async (config, size, grid) => {
    const { logits } = await run(new Values(1).floats([2, 3, size, size]), config);
    expect(logits!.shape).toEqual([2, 1, grid, grid]);
  });

  test('has logits that see 70 × 70 pixels each', async () => {
    // With ActNorm after its first batch, pixels do not interact otherwise.
    const config = { width: 1, norm: 'actnorm' } as const;
    const zero = (shape: readonly number[], data = new Float32Array(shape.reduce((a, b) => a * b, 1))): TensorData => ({
      dtype: 'float32',
      shape,
      data,
    });
    const size = 96;
    const middle = new Float32Array(3 * size * size);
    middle[48 * size + 48] = 1;
    const initialized = Object.fromEntries(
      [3, 6, 9].map((index) => [`main.${index}.initialized`, zero([], Float32Array.of(1))]),
    );
    const [plain, changed] = await Promise.all(
      [zero([1, 3, size, size]), zero([1, 3, size, size], middle)].map((image) => run(image, config, initialized)),
    );
    const differs = [...plain!.logits!.data].map((logit, i) => logit !== changed!.logits!.data[i]);
    const rows = Array.from({ length: 10 }, (_, y) => differs.slice(10 * y, 10 * y + 10).some(Boolean));
    // Logits are 8 pixels apart: a pixel is in the field of 70 / 8 of them.
    expect(rows.filter(Boolean).length).toBeGreaterThanOrEqual(8);
    expect(rows.filter(Boolean).length).toBeLessThanOrEqual(9);
  });

  test('sets the shift and the scale of ActNorm by its first batch, and then keeps them', async () => {
    const config = { layers: 1, width: 2, norm: 'actnorm' } as const;
    const images = new Values(2).floats([4, 3, 16, 16]);
    const first = await run(images, config);
    expect(first['main.3.initialized']!.data[0]).toBe(1);
    expect(first['main.3.loc']!.data.some((x) => x !== 0)).toBe(true);
    const { logits, ...state } = first;
    const other = await run(new Values(3).floats([4, 3, 16, 16]), config, state);
    expect(other['main.3.loc']).toEqual(first['main.3.loc']);
    expect(other['main.3.scale']).toEqual(first['main.3.scale']);
    // With its own batch as with the first.
    expect((await run(images, config, state)).logits).toEqual(logits);
  });

  test.each([
    [{ layers: 0 }, 'layers must be a whole number from 1 to 8, not 0.'],
    [{ width: 0.5 }, 'width must be a whole number'],
    [{ norm: 'layer' }, 'norm must be'],
  ])('refuses %j', (config, message) => {
    expect(() => readConfig(object<DiscriminatorConfig>(discriminatorFields), config, 'config')).toThrow(message);
  });
});
