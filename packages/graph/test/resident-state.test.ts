import { add, type Executable, input, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { holdState } from '@dalle-mini/graph/training';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const vector = (...values: number[]): TensorData => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});

/** Adds `by` to the state, and returns twice the result. */
async function counter() {
  const [total, by] = [input('total', [2]), input('by', [2])];
  const next = add(total, by);
  return runtime.compile({ inputs: { total, by }, outputs: { total: next, twice: add(next, next) } });
}

describe('state in the memory of JavaScript', () => {
  test('is replaced by the outputs of the same names, which runs do not return', async () => {
    const state = await holdState(await counter(), { total: vector(1, 2) });
    expect(await state.run({ by: vector(10, 20) })).toEqual({ twice: vector(22, 44) });
    expect(await state.run({ by: vector(1, 1) })).toEqual({ twice: vector(24, 46) });
    expect(await state.read()).toEqual({ total: vector(12, 23) });
  });

  test('is not changed by a run that is refused', async () => {
    const state = await holdState(await counter(), { total: vector(1, 2) });
    await expect(state.run({ by: vector(1) })).rejects.toThrow('input by must be float32[2]');
    expect(await state.read(['total'])).toEqual({ total: vector(1, 2) });
  });

  test('can be written, with values of its names and shapes', async () => {
    const state = await holdState(await counter(), { total: vector(1, 2) });
    await state.write({ total: vector(5, 6) });
    expect(await state.run({ by: vector(0, 0) })).toEqual({ twice: vector(10, 12) });
    await expect(state.write({ total: vector(1) })).rejects.toThrow('write: total must be float32[2], not float32[1].');
    await expect(state.write({ by: vector(1, 2) })).rejects.toThrow(
      'write: by must be part of the state, not float32[2].',
    );
  });
});

test('a runtime that holds state itself gets it, with its memory', async () => {
  const given: unknown[] = [];
  const executable = {
    holdState: async (...values: unknown[]) => {
      given.push(...values);
    },
  } as unknown as Executable;
  const values = { total: vector(1, 2) };
  await holdState(executable, values);
  expect(given).toEqual([values, { transfer: true }]);
});
