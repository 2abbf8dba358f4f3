import { object, readOptions } from '@dalle-mini/core';
import { type Runtime, runtimeField, runtimeOwnershipFields } from '@dalle-mini/graph';
import { chooseRuntime, OnnxRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { describe, expect, test } from 'vitest';

const runtime: Runtime = {
  name: 'none',
  compile: () => Promise.reject(new Error('computes nothing')),
  dispose: async () => {},
};

describe('the options of what opens a model', () => {
  const read = (options: object) => readOptions(object(runtimeFields), options as RuntimeOptions, 'open');

  test('have a runtime or the number of threads', () => {
    expect(read({ runtime })).toEqual({ runtime });
    expect(read({ threads: 1024 })).toEqual({ threads: 1024 });
  });

  test.each([
    [{ threads: 0 }, 'threads must be a whole number from 1 to 1024, not 0.'],
    [{ threads: 1025 }, 'threads must be a whole number from 1 to 1024, not 1025.'],
    [{ runtime: { compile() {} } }, 'runtime must be a Runtime, an object with compile() and dispose()'],
  ])('refuse %j', (options, message) => {
    expect(() => read(options)).toThrow(message);
  });

  test('leave a runtime that is given to its owner, and create one that the model owns', async () => {
    expect(chooseRuntime({ runtime, threads: 2 })).toEqual({ runtime, ownsRuntime: false });
    const { runtime: own, ownsRuntime } = chooseRuntime({ threads: 2 });
    expect(own).toBeInstanceOf(OnnxRuntime);
    expect(ownsRuntime).toBe(true);
    await own.dispose();
  });
});

test('a model does not own its runtime unless the options say so', () => {
  const read = (options: object) =>
    readOptions(object(runtimeOwnershipFields), options as { runtime: Runtime }, 'model');
  expect(read({ runtime })).toEqual({ runtime, ownsRuntime: false });
  expect(read({ runtime, ownsRuntime: true })).toEqual({ runtime, ownsRuntime: true });
  expect(() => read({})).toThrow(`runtime is missing; it must be ${runtimeField.expected}`);
});
