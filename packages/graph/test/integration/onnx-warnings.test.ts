import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emitOnnx } from '@dalle-mini/graph/onnx';
import { caseGraph, gradientGraph, isDifferentiable, layerCases, operatorCases } from '@dalle-mini/testing/graph-cases';
import { runModule } from '@dalle-mini/testing/processes';
import { afterAll, expect, test } from 'vitest';
import { gradientRules } from '../../src/training/gradient.js';

const folder = mkdtempSync(join(tmpdir(), 'graph-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Loads each model of a JSON file in onnxruntime-node, and runs it. */
const runModels = `
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
for (const { model, feeds } of JSON.parse(readFileSync(process.argv[1], 'utf8'))) {
  const session = await ort.InferenceSession.create(Buffer.from(model, 'base64'), { graphOptimizationLevel: 'all' });
  const tensors = Object.entries(feeds).map(([name, { dtype, shape, data }]) => {
    return [name, new ort.Tensor(dtype, arrays[dtype].from(data), shape)];
  });
  await session.run(Object.fromEntries(tensors));
  await session.release();
}
console.log('done');
`;

test('ONNX Runtime prints no warning for the models of all operators, layers and gradients', async () => {
  const cases = [...[...operatorCases.values()].flat(), ...layerCases];
  const ruled = [...operatorCases].filter(([name]) => name in gradientRules).flatMap(([, list]) => list);
  const graphs = [...cases.map(caseGraph), ...[...ruled, ...layerCases].filter(isDifferentiable).map(gradientGraph)];
  const models = graphs.map(({ graph, feeds }) => ({
    model: Buffer.from(emitOnnx(graph)).toString('base64'),
    feeds: Object.fromEntries(
      Object.entries(feeds).map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data: [...data] }]),
    ),
  }));
  const file = join(folder, 'models.json');
  writeFileSync(file, JSON.stringify(models));
  expect(await runModule(runModels, import.meta.dirname, [file])).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
});
