/** The minimum work of a stage in any program. Its roofline is the time that a machine takes for this work. */
import { type Graph, isOperation, parametersOf, sizeOf, topologicalOrder } from '@dalle-mini/graph';
import { matchParameters, quantizableParameters } from '@dalle-mini/graph/stored';
import type { TensorLocation } from '@dalle-mini/weights/node';
import type { Machine } from './machine.js';

export interface Work {
  /** Bytes in memory of the weights that it multiplies with. */
  readonly bytes: number;
  /** Floating-point operations. Products with quantized matrices use integers and do not count. */
  readonly flops: number;
}

/** Returns the minimum time of a machine in milliseconds: the longer of reading and computing. */
export function rooflineOf({ bytes, flops }: Work, { bytesPerSecond, flopsPerSecond }: Machine): number {
  return 1000 * Math.max(bytes / bytesPerSecond, flops / flopsPerSecond);
}

/** Returns the work of the products of `rows` vectors with all linear layers of a graph, whose weights are stored in a file. */
export function linearWork(graph: Graph, tensors: ReadonlyMap<string, TensorLocation>, rows: number): Work {
  const linear = quantizableParameters(graph);
  const declared = [...parametersOf(Object.values(graph.outputs))].filter(([name]) => linear.has(name));
  let [weights, bytes] = [0, 0];
  for (const { description, parts } of matchParameters(new Map(declared), tensors).values()) {
    const { kind = 'dense', shape } = description;
    if (kind !== 'blocks' && kind !== 'columns') weights += sizeOf(shape);
    // Weights in 16 bits are converted to float32 when the model is opened.
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
