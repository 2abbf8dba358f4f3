/**
 * Forms of operations that the WebGPU execution provider of ONNX Runtime 1.30 computes on the GPU. It has no kernels for FusedMatMul and
 * GatherElements, which the processor then computes, with a copy each way. Its Pow fails where operands broadcast, and its MatMul
 * aborts where the inner axis is empty, as in the first step of a KV cache.
 */
import { sameShape, sizeOf } from '../../shape.js';
import type { Shape, Tensor } from '../../tensor.js';
import type { OnnxEmitter } from '../emitter.js';
import { type Pass, replace } from './pass.js';

const multiply = replace('matmul', (emitter, [left, right], { inputs: [a, b], attributes }) => {
  const product = emitter.productOf(b!);
  if (product) return product(emitter, left!);
  const factors = [
    attributes.transposeA ? swapLast(emitter, left!, a!.shape) : left!,
    attributes.transposeB ? swapLast(emitter, right!, b!.shape) : right!,
  ] as const;
  const inner = b!.shape.length - (attributes.transposeB ? 1 : 2);
  return emitter.node('MatMul', b!.dynamic?.includes(inner) ? withZero(emitter, factors, [a!, b!]) : factors);
});

function swapLast(emitter: OnnxEmitter, name: string, shape: Shape): string {
  const axes = [...shape.keys()];
  return emitter.node('Transpose', [name], { perm: [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!] });
}

/** Adds a zero along the inner axis of both factors, which is then never empty. */
function withZero(
  emitter: OnnxEmitter,
  [left, right]: readonly [string, string],
  [a, b]: readonly [Tensor, Tensor],
): [string, string] {
  const rows = [...a.shape.slice(0, -1), 1];
  const columns = [...b.shape.slice(0, -2), 1, b.shape.at(-1)!];
  return [
    emitter.node('Concat', [left, emitter.zeros(rows)], { axis: -1 }),
    emitter.node('Concat', [right, emitter.zeros(columns)], { axis: -2 }),
  ];
}

/** Takes elements along the last axis, from the flattened tensor. */
function gatherAlong(emitter: OnnxEmitter, x: string, indices: string, shape: Shape): string {
  const rows = shape.slice(0, -1);
  const starts = Int32Array.from({ length: sizeOf(rows) }, (_, row) => row * shape.at(-1)!);
  const places = emitter.node('Add', [indices, emitter.constant('int32', [...rows, 1], starts)]);
  return emitter.node('Gather', [emitter.reshape(x, [-1]), places]);
}

const takeAlong = replace('takeAlong', (emitter, [x, indices], { inputs }) =>
  gatherAlong(emitter, x!, indices!, inputs[0]!.shape),
);

const crossEntropy = replace('crossEntropy', (emitter, [logits, labels], { inputs }) => {
  const { shape } = inputs[0]!;
  const probabilities = emitter.node('LogSoftmax', [logits!], { axis: -1 });
  const indices = emitter.reshape(labels!, [...shape.slice(0, -1), 1]);
  const picked = gatherAlong(emitter, probabilities, indices, shape);
  return emitter.node('Neg', [emitter.reshape(picked, shape.slice(0, -1))]);
});

const expandPowers = replace(
  'pow',
  (emitter, operands, { inputs, outputs }) => {
    const { shape } = outputs[0]!;
    const expand = (name: string) => emitter.node('Expand', [name, emitter.integers(shape)]);
    return emitter.node(
      'Pow',
      operands.map((name, i) => (sameShape(inputs[i]!.shape, shape) ? name : expand(name))),
    );
  },
  ({ inputs, outputs }) => inputs.some(({ shape }) => sizeOf(shape) > 1 && !sameShape(shape, outputs[0]!.shape)),
);

export const webgpuPasses: readonly Pass[] = [multiply, takeAlong, crossEntropy, expandPowers];
