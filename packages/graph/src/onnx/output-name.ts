import type { Graph, Tensor } from '../tensor.js';

/** Returns the name of an output in the emitted model. If an input or a parameter has the same name, an apostrophe is added. */
export function outputName(graph: Graph, parameters: ReadonlyMap<string, Tensor>, name: string): string {
  return name in graph.inputs || parameters.has(name) ? `${name}'` : name;
}
