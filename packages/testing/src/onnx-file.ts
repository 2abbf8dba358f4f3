import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph, TensorValues } from '@dalle-mini/graph';
import { writeOnnx } from '@dalle-mini/graph/node';
import type { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';

/** What a graph gives when it is compiled, and when it is written into a file and opened again. */
export async function compiledAndReopened(
  runtime: OnnxRuntime,
  graph: Graph,
  parameters: ReadonlyMap<string, StoredParameter>,
  inputs: TensorValues,
) {
  const folder = await mkdtemp(join(tmpdir(), 'onnx-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeOnnx(path, graph, parameters);
    const executables = [
      await runtime.compile(graph, { parameters }),
      await runtime.open(path, graph, { parameters }),
    ] as const;
    const [compiled, reopened] = [await executables[0].run(inputs), await executables[1].run(inputs)];
    for (const executable of executables) await executable.dispose();
    return { compiled, reopened };
  } finally {
    await rm(folder, { recursive: true });
  }
}
