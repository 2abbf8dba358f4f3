/** What a stage must do at least, whatever the program: its roofline is how long a machine takes for that. */
import { type Graph, isOperation, parametersOf, sizeOf, topologicalOrder } from '@dalle-mini/graph';
import { matchParameters, quantizableParameters } from '@dalle-mini/graph/stored';
import type { TensorLocation } from '@dalle-mini/weights/node';
import type { Machine } from './machine.js';

export interface Work {
  /** Of the weights that it multiplies with, as they are in memory. */
  readonly bytes: number;
  /** Floating-point operations. Products with matrices in few bits are of integers, and not among them. */
  readonly flops: number;
}

/** How long a machine takes at least, in milliseconds: to read, or to compute, whichever takes longer. */
export function rooflineOf({ bytes, flops }: Work, { bytesPerSecond, flopsPerSecond }: Machine): number {
  return 1000 * Math.max(bytes / bytesPerSecond, flops / flopsPerSecond);
}

/** The products of `rows` vectors with all linear layers of a graph, whose weights are stored in a file. */
export function linearWork(graph: Graph, tensors: ReadonlyMap<string, TensorLocation>, rows: number): Work {
  const linear = quantizableParameters(graph);
  const declared = [...parametersOf(Object.values(graph.outputs))].filter(([name]) => linear.has(name));
  let [weights, bytes] = [0, 0];
  for (const { description, parts } of matchParameters(new Map(declared), tensors).values()) {
    const { kind = 'dense', shape } = description;
    if (kind !== 'blocks' && kind !== 'columns') weights += sizeOf(shape);
    // What is stored in 16 bits is widened when it is opened.
    for (const { tensor } of parts) bytes += sizeOf(tensor.shape) * (tensor.dtype === 'U8' ? 1 : 4);
  }
  return { bytes, flops: 2 * rows * weights };
}

/** The operations of a graph's convolutions and matrix products, as the model is written: a convolution of repeated pixels counts all. */
export function flopsOf(graph: Graph): number {
  return topologicalOrder(Object.values(graph.outputs)).reduce((sum, operation) => {
    const { inputs, outputs } = operation;
    const shape = inputs[1]?.shape ?? [];
    if (isOperation(operation, 'conv2d') || isOperation(operation, 'upsampleConv2d'))
      return sum + 2 * sizeOf(outputs[0]!.shape) * sizeOf(shape.slice(1));
    if (isOperation(operation, 'matmul'))
      return sum + 2 * sizeOf(outputs[0]!.shape) * shape.at(operation.attributes.transposeB ? -1 : -2)!;
    return sum;
  }, 0);
}
