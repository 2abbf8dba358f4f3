import * as g from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { loadTfjs, TfjsRuntime, tfjsOperators } from '@dalle-mini/graph/tfjs';
import { afterAll, describe, expect, test } from 'vitest';
import { type Case, caseGraph, gradientGraph, isDifferentiable, layerCases, operatorCases } from './cases.js';
import { relativeError } from './values.js';

// Both runtimes compute in float32 and order their sums differently: about 1e-6 for sums of this length. TensorFlow.js's
// error function on the processor is a rational approximation, good to 1.5e-7 of its largest value 1.
const tolerance = 1e-5;

const tf = await loadTfjs();
const runtimes = { tfjs: new TfjsRuntime(tf), onnx: new OnnxRuntime({ threads: 1 }) };
afterAll(() => Promise.all(Object.values(runtimes).map((runtime) => runtime.dispose())));

async function compute(runtime: g.Runtime, graph: g.Graph, feeds: g.TensorValues) {
  const executable = await runtime.compile(graph);
  try {
    return await executable.run(feeds);
  } finally {
    await executable.dispose();
  }
}

let worst = 0;
async function expectAgreement(graph: g.Graph, feeds: g.TensorValues): Promise<void> {
  const actual = await compute(runtimes.tfjs, graph, feeds);
  const expected = await compute(runtimes.onnx, graph, feeds);
  for (const [name, { dtype, shape }] of Object.entries(graph.outputs)) {
    const [ours, theirs] = [actual[name]!, expected[name]!];
    expect(ours.dtype).toBe(dtype);
    expect(ours.shape).toEqual(shape);
    if (dtype === 'float32') {
      const error = relativeError(ours.data, theirs.data);
      worst = Math.max(worst, error);
      if (error > 1e-6) console.log(expect.getState().currentTestName, error);
      expect(error, `${name}: ${ours.data} for ${theirs.data}`).toBeLessThan(tolerance);
    } else {
      expect(ours.data).toEqual(theirs.data);
    }
  }
}
afterAll(() => console.log('worst', worst));

const flat = (cases: Iterable<readonly [string, readonly Case[]]>) =>
  [...cases].flatMap(([name, list]) => list.map((one) => [`${name}: ${one.name}`, one] as const));

describe('TensorFlow.js computes what ONNX Runtime computes', () => {
  test('there are cases for every operator', () => {
    expect([...operatorCases.keys()].sort()).toEqual(Object.keys(tfjsOperators).sort());
  });

  test.each(flat(operatorCases))('%s', async (_, one) => {
    const { graph, feeds } = caseGraph(one);
    await expectAgreement(graph, feeds);
  });

  test.each(flat([['layers', layerCases]]))('%s', async (_, one) => {
    const { graph, feeds } = caseGraph(one);
    await expectAgreement(graph, feeds);
  });
});

describe('and the same gradients', () => {
  const differentiable = [...operatorCases].filter(([name]) => name in g.gradientRules);
  const cases = flat([...differentiable, ['layers', layerCases]]).filter(([, one]) => isDifferentiable(one));
  test.each(cases)('%s', async (_, one) => {
    const { graph, feeds } = gradientGraph(one);
    await expectAgreement(graph, feeds);
  });
});
