import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { GraphError } from '../graph-error.js';
import { fileRegionsOf, type StoredParameter } from '../stored/stored-parameter.js';
import type { Graph } from '../tensor.js';
import { parametersOf } from '../traversal.js';

/**
 * Writes a graph and its parameters as an ONNX model, for `OnnxRuntime.open` or any other program with ONNX Runtime. Values in memory
 * go into the model, up to 2 GB in all. Values in a file stay there: the model is written beside it, and the two are moved together.
 * The model takes its name when it is whole.
 *
 * @throws GraphError if a parameter's value is missing, of another shape, or in a file of another folder than the model's, or if values
 * in memory are more than 2 GB; the system's error if the file cannot be written.
 */
export async function writeOnnx(
  path: string,
  graph: Graph,
  parameters: ReadonlyMap<string, StoredParameter>,
): Promise<void> {
  const folder = dirname(resolve(path));
  for (const name of parametersOf(Object.values(graph.outputs)).keys()) {
    const value = parameters.get(name);
    const stray = value && fileRegionsOf(value).find((region) => resolve(region.folder) !== folder);
    if (stray)
      throw new GraphError(
        `writeOnnx: parameter ${name} stands in a file of ${stray.folder}: write the model into that folder, not ${folder}`,
      );
  }
  // Loaded where it is needed: a program that only reads parameters need not.
  const { emitOnnx } = await import('./emit.js');
  const model = emitOnnx(graph, { kind: 'initializers', values: parameters });
  const temporary = resolve(folder, `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, model);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
