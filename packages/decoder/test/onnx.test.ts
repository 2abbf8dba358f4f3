import { rowGraph, textGraph } from '@dalle-mini/decoder';
import type { TensorValues } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { compiledAndReopened } from '@dalle-mini/testing/onnx-file';
import { randomParameters, tinyDecoder as tiny } from '@dalle-mini/testing/tiny-decoder';
import { float32, int32, Values } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

describe.each([true, false])('a decoder, written as ONNX models, with guidance: %s', (guided) => {
  test('generates the same row of tokens for the same caption', async () => {
    const shape = { images: 2, guided, textLength: 5 };
    const sequences = guided ? 4 : 2;
    const parameters = randomParameters(tiny, 1);
    const values = new Values(1);
    const hiddenStates = values.floats([sequences, 5, 12]);
    const text = await compiledAndReopened(runtime, textGraph(tiny, shape), parameters, { hiddenStates });
    expect(text.reopened).toEqual(text.compiled);

    const inputs: TensorValues = {
      ...text.compiled,
      ...Object.fromEntries(
        Array.from({ length: tiny.layers }, (_, layer) => [`cache.${layer}.keys`, `cache.${layer}.values`])
          .flat()
          .map((name) => [name, values.floats([sequences, tiny.heads, 4, tiny.width / tiny.heads])]),
      ),
      token: int32([2], [3, 5]),
      textMask: int32([sequences, 5], Array(5 * sequences).fill(1)),
      row: int32([], [1]),
      uniforms: values.floats([4, 2], 0, 1),
      given: int32([4, 2], [-1, -1, 7, -1, -1, -1, -1, 9]),
      temperature: float32([], [1]),
      topK: int32([], [24]),
      topP: float32([], [1]),
      ...(guided ? { guidanceScale: float32([], [3]) } : {}),
    };
    const row = await compiledAndReopened(runtime, rowGraph(tiny, shape), parameters, inputs);
    expect(row.compiled.tokens!.shape).toEqual([2, 4]);
    expect(row.compiled.tokens!.data[1]).toBe(7);
    expect(row.compiled.tokens!.data[7]).toBe(9);
    expect(row.reopened).toEqual(row.compiled);
  });
});
