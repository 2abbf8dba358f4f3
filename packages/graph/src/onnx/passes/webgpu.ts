/**
 * Forms of operations that the WebGPU execution provider of ONNX Runtime 1.30 computes on the GPU. It has no kernels for FusedMatMul and
 * GatherElements, which the processor then computes, with a copy each way. Its Pow fails where operands broadcast, its MatMul
 * aborts where the inner axis is empty, as in the first step of a KV cache, and its MaxPool does not tell where the maxima are.
 */
import { sameShape, sizeOf } from '../../shape.js';
import type { Shape, Tensor } from '../../tensor.js';
import type { OnnxEmitter } from '../emitter.js';
import { dataTypes } from '../proto.js';
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
  return [oneMore(emitter, left, a, a.shape.length - 1), oneMore(emitter, right, b, b.shape.length - 2)];
}

/** Adds a zero along a dynamic axis. If other axes are dynamic too, it cannot be a constant. */
function oneMore(emitter: OnnxEmitter, name: string, { shape, dynamic = [] }: Tensor, axis: number): string {
  if (dynamic.some((other) => other !== axis)) {
    const pads = Array.from({ length: 2 * shape.length }, (_, i) => (i === shape.length + axis ? 1 : 0));
    return emitter.node('Pad', [name, emitter.integers(pads)]);
  }
  return emitter.node('Concat', [name, emitter.zeros(shape.with(axis, 1))], { axis });
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

/**
 * A convolution takes the windows apart, one channel for each of their pixels. The first maximum of a window gets its gradient, and the
 * transposed convolution adds the windows up.
 */
const unpool = replace('maxPool2dGradient', (emitter, [x, gradient], { inputs, attributes }) => {
  const { size, stride, padding } = attributes;
  const [batch, channels, height, width] = inputs[0]!.shape as readonly [number, number, number, number];
  const [rows, columns] = inputs[1]!.shape.slice(2) as [number, number];
  const images = batch * channels;
  const identity = Float32Array.from({ length: size ** 4 }, (_, i) => (i % (size ** 2 + 1) === 0 ? 1 : 0));
  const pixels = emitter.constant('float32', [size ** 2, 1, size, size], identity);
  const [top, left, bottom, right] = padding;
  const padded = emitter.node('Pad', [
    emitter.reshape(x!, [images, 1, height, width]),
    emitter.integers([0, 0, top, left, 0, 0, bottom, right]),
    emitter.constant('float32', [], Float32Array.of(-3.4028235e38)), // Not −∞: the convolution multiplies it by 0.
  ]);
  const windows = emitter.node('Conv', [padded, pixels], { strides: [stride, stride] }); // [images, size², rows, columns]
  const first = emitter.node('ArgMax', [windows], { axis: 1 });
  const pixel = emitter.constant(
    'int32',
    [1, size ** 2, 1, 1],
    Int32Array.from({ length: size ** 2 }, (_, i) => i),
  );
  const isFirst = emitter.node('Equal', [emitter.node('Cast', [first], { to: dataTypes.int32 }), pixel]);
  const each = emitter.reshape(gradient!, [images, 1, rows, columns]);
  const gradients = emitter.node('Mul', [emitter.node('Cast', [isFirst], { to: dataTypes.float32 }), each]);
  const sums = emitter.node('ConvTranspose', [gradients, pixels], {
    strides: [stride, stride],
    pads: padding,
    // Rows and columns that no window reaches.
    output_padding: [
      height + top + bottom - (rows - 1) * stride - size,
      width + left + right - (columns - 1) * stride - size,
    ],
  });
  return emitter.reshape(sums, inputs[0]!.shape);
});

export const webgpuPasses: readonly Pass[] = [multiply, takeAlong, crossEntropy, expandPowers, unpool];
