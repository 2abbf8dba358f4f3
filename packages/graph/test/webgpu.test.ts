import * as g from '@dalle-mini/graph';
import { emitOnnx } from '@dalle-mini/graph/onnx';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { caseGraph, layerCases, operatorCases } from '@dalle-mini/testing/graph-cases';
import { float32, relativeError } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';
import { type OnnxGraph, readModel } from './onnx-model.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** The types of the nodes of a model and of the bodies of its loops. */
const typesOf = ({ nodes }: OnnxGraph): string[] =>
  nodes.flatMap(({ type, bodies }) => [type, ...bodies.flatMap(typesOf)]);

const emit = (graph: g.Graph) => emitOnnx(graph, { kind: 'inputs' }, { provider: 'webgpu' });

describe('a model for WebGPU', () => {
  test.each([...operatorCases, ['layers', layerCases] as const])(
    '%s: computes what the model for the processor computes, without the nodes that WebGPU lacks',
    async (_, cases) => {
      for (const one of cases) {
        const { graph, feeds } = caseGraph(one);
        const model = emit(graph);
        const types = typesOf(readModel(model));
        for (const type of ['FusedMatMul', 'GatherElements', 'MaxUnpool']) expect(types).not.toContain(type);
        const executables = [await runtime.compile(graph), await runtime.open(model, graph)] as const;
        const [expected, found] = [await executables[0].run(feeds), await executables[1].run(feeds)];
        for (const executable of executables) await executable.dispose();
        for (const [output, { data, shape }] of Object.entries(expected)) {
          expect(found[output]!.shape).toEqual(shape);
          // Sums are in another order.
          expect(relativeError(found[output]!.data, data), `${one.name}: ${output}`).toBeLessThan(2e-6);
        }
      }
    },
  );

  test('attends over captions of a length that varies', async () => {
    const x = g.input('x', [4, 2], 'float32', { dynamic: 0 });
    const weights = g.softmax(g.matmul(x, x, { transposeB: true }));
    const graph: g.Graph = { inputs: { x }, outputs: { y: g.matmul(weights, x) } };
    const executables = [await runtime.compile(graph), await runtime.open(emit(graph), graph)] as const;
    const feeds = { x: float32([3, 2], [1, 2, 3, 4, 5, 6]) };
    const [expected, found] = [await executables[0].run(feeds), await executables[1].run(feeds)];
    for (const executable of executables) await executable.dispose();
    expect(found.y!.shape).toEqual([3, 2]);
    expect(relativeError(found.y!.data, expected.y!.data)).toBeLessThan(2e-6);
  });

  test('multiplies by an inner axis that is empty at first', async () => {
    const weights = g.input('weights', [2, 3], 'float32', { dynamic: 1 });
    const values = g.input('values', [3, 4], 'float32', { dynamic: 0 });
    const graph: g.Graph = { inputs: { weights, values }, outputs: { y: g.matmul(weights, values) } };
    const model = emit(graph);
    const executable = await runtime.open(model, graph);
    const run = async (length: number) => {
      const feeds = {
        weights: float32([2, length], Array(2 * length).fill(2)),
        values: float32([length, 4], Array(4 * length).fill(3)),
      };
      return [...(await executable.run(feeds)).y!.data];
    };
    expect(await run(0)).toEqual(Array(8).fill(0));
    expect(await run(2)).toEqual(Array(8).fill(12));
    await executable.dispose();
  });
});
