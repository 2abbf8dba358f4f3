/** Computes the cases of all operators and layers, and their gradients, with ONNX Runtime. Writes the outputs to a file: `node references.js FILE`. */
import { writeFileSync } from 'node:fs';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { everyCase, type References } from './cases.js';

const runtime = new OnnxRuntime({ threads: 1 });
const references: References = {};
for (const { name, graph, feeds } of everyCase()) {
  const executable = await runtime.compile(graph);
  const outputs = await executable.run(feeds);
  await executable.dispose();
  references[name] = Object.fromEntries(
    Object.entries(outputs).map(([output, { data }]) => [
      output,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
    ]),
  );
}
await runtime.dispose();
writeFileSync(process.argv[2]!, JSON.stringify(references));
