import type { Graph, Tensor } from '../tensor.js';

/** The name of an output in the emitted model: its own, unless an input or a parameter has that name too. */
export function outputName(graph: Graph, parameters: ReadonlyMap<string, Tensor>, name: string): string {
  return name in graph.inputs || parameters.has(name) ? `${name}'` : name;
}
