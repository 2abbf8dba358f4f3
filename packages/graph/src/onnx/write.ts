import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { GraphError } from '../graph-error.js';
import { fileRegionsOf, type StoredParameter } from '../stored/stored-parameter.js';
import type { Graph } from '../tensor.js';
import { parametersOf } from '../traversal.js';

/**
 * Writes a graph and its parameters as an ONNX model, for `OnnxRuntime.open` or any other program with ONNX Runtime. Values in memory
 * become part of the model, up to 2 GB. Values in a file stay there: the model must be in the same folder, and both must be moved
 * together. The model is written atomically.
 *
 * @throws GraphError if a parameter's value is missing, has another shape, or is in a file outside the model's folder, or if the
 *   values in memory have more than 2 GB. A system error if the file cannot be written.
 */
export async function writeOnnx(
  path: string,
  graph: Graph,
  parameters: ReadonlyMap<string, StoredParameter>,
): Promise<void> {
  const folder = dirname(resolve(path));
  for (const name of parametersOf(Object.values(graph.outputs)).keys()) {
    const value = parameters.get(name);
    const outside = value && fileRegionsOf(value).find((region) => resolve(region.folder) !== folder);
    if (outside)
      throw new GraphError(
        `writeOnnx: the model must be in ${outside.folder}, where parameter ${name} is stored, not in ${folder}. Write it to that folder.`,
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
