import type { Graph, Runtime, TensorValues } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import {
  type Case,
  caseGraph,
  gradientGraph,
  isDifferentiable,
  layerCases,
  operatorCases,
} from '@dalle-mini/testing/graph-cases';
import { relativeError } from '@dalle-mini/testing/values';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaRuntime } from '@dalle-mini/xla';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gradientRules } from '../../../graph/src/training/gradient.js';

// Both compute in float32 and order their sums differently.
const tolerance = 1e-5;
/** Operands of products have 8 bits in bfloat16. The sums of these cases have up to 300 terms. */
const bfloat16Tolerance = 2e-2;

const flat = (cases: Iterable<readonly [string, readonly Case[]]>) =>
  [...cases].flatMap(([name, list]) => list.map((one) => [`${name}: ${one.name}`, one] as const));

describeXla('XLA', () => {
  let onnx: Runtime;
  let xla: Runtime;
  let bfloat16: Runtime;
  beforeAll(async () => {
    onnx = new OnnxRuntime({ threads: 1 });
    const options = { plugin: cpuPlugin, cache: { maxBytes: 0 } };
    xla = await XlaRuntime.open(options);
    bfloat16 = await XlaRuntime.open({ ...options, compute: 'bfloat16' });
  });
  afterAll(() => Promise.all([onnx, xla, bfloat16].map((runtime) => runtime?.dispose())));

  async function compute(runtime: Runtime, graph: Graph, feeds: TensorValues) {
    const executable = await runtime.compile(graph);
    try {
      return await executable.run(feeds);
    } finally {
      await executable.dispose();
    }
  }

  async function expectAgreement(graph: Graph, feeds: TensorValues, runtime = xla, limit = tolerance): Promise<void> {
    const actual = await compute(runtime, graph, feeds);
    const expected = await compute(onnx, graph, feeds);
    for (const [name, { dtype, shape }] of Object.entries(graph.outputs)) {
      const [ours, theirs] = [actual[name]!, expected[name]!];
      expect(ours.dtype).toBe(dtype);
      expect(ours.shape).toEqual(shape);
      if (dtype === 'float32') expect(relativeError(ours.data, theirs.data), name).toBeLessThan(limit);
      else expect(ours.data).toEqual(theirs.data);
    }
  }

  describe('computes the same as ONNX Runtime', () => {
    test.each(flat([...operatorCases, ['layers', layerCases]]))('%s', async (_, one) => {
      const { graph, feeds } = caseGraph(one);
      await expectAgreement(graph, feeds);
    });
  });

  describe('computes the same gradients as ONNX Runtime', () => {
    const ruled = [...operatorCases].filter(([name]) => name in gradientRules);
    const differentiable = flat([...ruled, ['layers', layerCases]]).filter(([, one]) => isDifferentiable(one));
    test.each(differentiable)('%s', async (_, one) => {
      const { graph, feeds } = gradientGraph(one);
      await expectAgreement(graph, feeds);
    });
  });

  describe('computes products in bfloat16 with fewer digits', () => {
    const products = ['matmul', 'conv2d', 'upsampleConv2d', 'conv2dInputGradient', 'conv2dWeightGradient'];
    test.each(flat([...operatorCases].filter(([name]) => products.includes(name))))('%s', async (_, one) => {
      const { graph, feeds } = caseGraph(one);
      await expectAgreement(graph, feeds, bfloat16, bfloat16Tolerance);
    });
  });
});
