import { sizeOf } from '../shape.js';
import type { Operation, OperatorName, Padding, Shape, Tensor } from '../tensor.js';
import { relativeShape } from '../varying-axes.js';
import type { OnnxEmitter } from './emitter.js';
import { dataTypes, microsoft } from './proto.js';
import { suitsWinograd, winogradConv } from './winograd.js';

/** Writes one operation as ONNX nodes: from the names of its operands to the names of its outputs. */
type Lowering<Name extends OperatorName> = (
  emitter: OnnxEmitter,
  operands: readonly string[],
  operation: Operation<Name>,
) => string | readonly string[];

/** The operator of the same meaning in ONNX. */
const standard =
  (type: string) =>
  (emitter: OnnxEmitter, operands: readonly string[]): string =>
    emitter.node(type, operands);

/** The operator of the same meaning in ONNX, over the last axis. */
const overLastAxis =
  (type: string) =>
  (emitter: OnnxEmitter, operands: readonly string[]): string =>
    emitter.node(type, operands, { axis: -1 });

const toInt32 = (emitter: OnnxEmitter, name: string) => emitter.node('Cast', [name], { to: dataTypes.int32 });
const reshapeTo = (emitter: OnnxEmitter, name: string, shape: readonly number[]) =>
  emitter.node('Reshape', [name, emitter.integers(shape)]);
const outputOf = (operation: Operation): Tensor => operation.outputs[0]!;

/** A kernel `[out, in, rows, columns]` turned by 180°: a product with a matrix that reverses its taps, for Slice would use one thread. */
function turn(emitter: OnnxEmitter, kernel: string, shape: Shape): string {
  const taps = shape[2]! * shape[3]!;
  if (taps === 1) return kernel;
  const reversal = Float32Array.from({ length: taps * taps }, (_, i) =>
    Math.floor(i / taps) + (i % taps) === taps - 1 ? 1 : 0,
  );
  const matrix = emitter.constant('float32', [taps, taps], reversal);
  return reshapeTo(emitter, emitter.node('MatMul', [reshapeTo(emitter, kernel, [-1, taps]), matrix]), shape);
}

/**
 * What a convolution of repeated pixels sees of the small image, along one axis, from the `phase`-th copy of a pixel: so many pixels
 * before and after it, `size` in all, and for each tap which of those it meets.
 */
function seenFrom(phase: number, taps: number, factor: number) {
  const offsets = Array.from({ length: taps }, (_, tap) => Math.floor((phase + tap - (taps - 1) / 2) / factor));
  const [first, last] = [offsets[0]!, offsets.at(-1)!];
  return { before: -first, after: last, size: last - first + 1, met: offsets.map((offset) => offset - first) };
}

/** The padding with which a convolution's result is convolved, by the kernel turned, back to the size of its image. */
const oppositePadding = ([top, left, bottom, right]: Padding, rows: number, columns: number): Padding => [
  rows - 1 - top,
  columns - 1 - left,
  rows - 1 - bottom,
  columns - 1 - right,
];

/** Images by their name, and their shape `[batch, channels, height, width]`. */
type Images = readonly [name: string, shape: Shape];

/** Each channel's pixels, image after image: `[channels, batch · height · width]`. */
const channelRows = (emitter: OnnxEmitter, [images, shape]: Images): string =>
  reshapeTo(emitter, emitter.node('Transpose', [images], { perm: [1, 0, 2, 3] }), [shape[1]!, -1]);

/**
 * What two stacks of images have in common, one moved under the other: the sums over all pixels of the batch of `moved`, `[batch, n, …]`, times
 * `over`, `[batch, m, …]`, for moves by so many rows and columns. `[m, rows · columns, n]`.
 *
 * It is one convolution, of few and large kernels: the batch is its channels, and a pixel's channels lie side by side as columns of the
 * image. So ONNX Runtime gathers what it multiplies piece by piece, in its cache, where products of moved copies would write them all.
 */
function correlate(
  emitter: OnnxEmitter,
  [moved, [batch, n, height, width]]: Images,
  [over, [, m, overHeight, overWidth]]: Images,
  [rows, columns]: readonly [rows: number, columns: number],
  { stride, padding: [top, left, bottom, right] }: { readonly stride: number; readonly padding: Padding },
): string {
  const channelsLast = emitter.node('Transpose', [moved], { perm: [0, 2, 3, 1] });
  const lines = reshapeTo(emitter, channelsLast, [1, batch!, height!, width! * n!]);
  const kernels = emitter.node('Transpose', [over], { perm: [1, 0, 2, 3] });
  const attributes = { dilations: [stride, stride * n!], pads: [top, left * n!, bottom, right * n!] };
  const sums = emitter.node('Conv', [lines, kernels], attributes);
  // A stride may leave room for more moves.
  const allRows = height! + top + bottom - (overHeight! - 1) * stride;
  const allColumns = width! + left + right - (overWidth! - 1) * stride;
  if (allRows === rows && allColumns === columns) return reshapeTo(emitter, sums, [m!, rows * columns, n!]);
  const [start, end] = [emitter.integers([0, 0]), emitter.integers([rows, columns * n!])];
  const wanted = emitter.node('Slice', [sums, start, end, emitter.integers([2, 3])]);
  return reshapeTo(emitter, wanted, [m!, rows * columns, n!]);
}

/** (x − mean) / √(variance + epsilon) over the last axis, and 1 / √(variance + epsilon). */
function normalized(emitter: OnnxEmitter, x: string, width: number, epsilon: number): [string, string] {
  const ones = emitter.ones(width);
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  const [values, , reciprocalDeviation] = emitter.nodeOf(3, 'LayerNormalization', [x, ones], attributes);
  return [values!, reciprocalDeviation!];
}

const reduction =
  (type: 'ReduceSum' | 'ReduceMax'): Lowering<'sum' | 'max'> =>
  (emitter, [x], { attributes: { axes, keepDims } }) =>
    emitter.node(type, [x!, emitter.integers(axes)], { keepdims: keepDims ? 1 : 0 });

/** How each operator is written in ONNX. Inputs and parameters are named beforehand, loops are written by the emitter. */
export const lowerings: { readonly [Name in Exclude<OperatorName, 'input' | 'parameter' | 'loop'>]: Lowering<Name> } & {
  readonly [Name in 'input' | 'parameter' | 'loop']?: undefined;
} = {
  constant: (emitter, _, { attributes: { value } }) => emitter.constant(value.dtype, value.shape, value.data),

  neg: standard('Neg'),
  exp: standard('Exp'),
  log: standard('Log'),
  sqrt: standard('Sqrt'),
  reciprocal: standard('Reciprocal'),
  abs: standard('Abs'),
  sign: standard('Sign'),
  sin: standard('Sin'),
  cos: standard('Cos'),
  tanh: standard('Tanh'),
  erf: standard('Erf'),
  sigmoid: standard('Sigmoid'),
  relu: standard('Relu'),
  // ONNX Runtime's own operator: its standard one ran on one thread, at an eighth of the speed.
  gelu: (emitter, operands) => emitter.node('Gelu', operands, {}, microsoft),
  // With a factor of 1 on the gate's operand, QuickGelu is x · sigmoid(x).
  swish: (emitter, operands) => emitter.node('QuickGelu', operands, { alpha: { float: 1 } }, microsoft),
  logicalNot: standard('Not'),
  stopGradient: (_, [x]) => x!,
  cast: (emitter, operands, { attributes: { dtype } }) => emitter.node('Cast', operands, { to: dataTypes[dtype] }),

  add: standard('Add'),
  sub: standard('Sub'),
  mul: standard('Mul'),
  div: standard('Div'),
  pow: standard('Pow'),
  maximum: standard('Max'),
  minimum: standard('Min'),
  equal: standard('Equal'),
  less: standard('Less'),
  greater: standard('Greater'),
  logicalAnd: standard('And'),
  select: standard('Where'),

  matmul: (emitter, operands, { inputs, attributes: { transposeA, transposeB } }) => {
    const product = emitter.productOf(inputs[1]!);
    if (product) return product(emitter, operands[0]!);
    return transposeA || transposeB
      ? emitter.node('FusedMatMul', operands, { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }, microsoft)
      : emitter.node('MatMul', operands);
  },
  conv2d: (emitter, operands, operation) => {
    const { inputs, attributes } = operation;
    if (emitter.isInitializer(inputs[1]!) && suitsWinograd(operation))
      return winogradConv(emitter, operands, operation);
    const { stride, padding } = attributes;
    return emitter.node('Conv', operands, { strides: [stride, stride], pads: padding });
  },
  // Taps that meet copies of one pixel act as one tap, their sum: each phase is a convolution of the small image with a smaller
  // kernel, which ONNX Runtime computes once where the kernel is an initializer. The phases' results are interleaved.
  upsampleConv2d: (emitter, [image, kernel, ...bias], { inputs, outputs, attributes: { factor } }) => {
    const [batch, , height, width] = inputs[0]!.shape as [number, number, number, number];
    const [out, channels, rows, columns] = inputs[1]!.shape as [number, number, number, number];
    const taps = reshapeTo(emitter, kernel!, [-1, rows * columns]);
    const phases = [...Array(factor).keys()];
    const phase = (rowPhase: number, columnPhase: number) => {
      const [down, across] = [seenFrom(rowPhase, rows, factor), seenFrom(columnPhase, columns, factor)];
      const size = down.size * across.size;
      const sums = new Float32Array(rows * columns * size);
      for (const [row, metDown] of down.met.entries()) {
        for (const [column, metAcross] of across.met.entries())
          sums[(row * columns + column) * size + metDown * across.size + metAcross] = 1;
      }
      const summed = emitter.node('MatMul', [taps, emitter.constant('float32', [rows * columns, size], sums)]);
      const operands = [image!, reshapeTo(emitter, summed, [out, channels, down.size, across.size]), ...bias];
      const result = emitter.node('Conv', operands, { pads: [down.before, across.before, down.after, across.after] });
      return reshapeTo(emitter, result, [batch, out, height, width, 1]);
    };
    const lines = phases.map((row) => {
      // Joined along the last axis: transposing the phases, or DepthToSpace, took several times as long.
      const line = emitter.node(
        'Concat',
        phases.map((column) => phase(row, column)),
        { axis: 4 },
      );
      return reshapeTo(emitter, line, [batch, out, height, 1, width * factor]);
    });
    return reshapeTo(emitter, emitter.node('Concat', lines, { axis: 3 }), outputs[0]!.shape);
  },
  conv2dInputGradient: (emitter, [gradient, kernel], operation) => {
    const { stride, padding } = operation.attributes;
    const [top, left, bottom, right] = padding;
    const [, , height, width] = outputOf(operation).shape as [number, number, number, number];
    const [, , rows, columns] = operation.inputs[1]!.shape as [number, number, number, number];
    const [, , outHeight, outWidth] = operation.inputs[0]!.shape as [number, number, number, number];
    const pads = oppositePadding(padding, rows, columns);
    if (stride === 1 && pads.every((pad) => pad >= 0)) {
      // A convolution with the kernel turned by 180° and its channels exchanged: faster than ConvTranspose, which it equals.
      const turned = turn(emitter, kernel!, operation.inputs[1]!.shape);
      const exchanged = emitter.node('Transpose', [turned], { perm: [1, 0, 2, 3] });
      return emitter.node('Conv', [gradient!, exchanged], { pads });
    }
    // Rows and columns that no step of the convolution reached.
    const rest = [
      height - ((outHeight - 1) * stride + rows - top - bottom),
      width - ((outWidth - 1) * stride + columns - left - right),
    ];
    return emitter.node('ConvTranspose', [gradient!, kernel!], {
      strides: [stride, stride],
      pads: padding,
      output_padding: rest,
    });
  },
  conv2dWeightGradient: (emitter, operands, operation) => {
    const { stride, padding } = operation.attributes;
    const image: Images = [operands[0]!, operation.inputs[0]!.shape];
    const gradient: Images = [operands[1]!, operation.inputs[1]!.shape];
    const { shape } = outputOf(operation);
    const [out, channels, rows, columns] = shape as [number, number, number, number];
    if (rows * columns === 1 && stride === 1 && padding.every((size) => size === 0)) {
      const factors = [gradient, image].map((images) => channelRows(emitter, images));
      return reshapeTo(emitter, emitter.node('FusedMatMul', factors, { transB: 1 }, microsoft), shape);
    }
    const opposite = oppositePadding(padding, rows, columns);
    if (out < channels && stride === 1 && opposite.every((size) => size >= 0)) {
      // The gradient moved, and the taps turned, come to the same: a convolution with more kernels, for fewer places, is faster.
      const sums = correlate(emitter, gradient, image, [rows, columns], { stride, padding: opposite });
      return turn(emitter, emitter.node('Transpose', [sums], { perm: [2, 0, 1] }), shape);
    }
    const sums = correlate(emitter, image, gradient, [rows, columns], { stride, padding });
    return reshapeTo(emitter, emitter.node('Transpose', [sums], { perm: [0, 2, 1] }), shape);
  },

  reshape: (emitter, [x], { inputs, outputs }) => reshapeTo(emitter, x!, relativeShape(inputs[0]!, outputs[0]!)),
  broadcast: (emitter, [x], operation) => emitter.node('Expand', [x!, emitter.integers(outputOf(operation).shape)]),
  upsample: (emitter, [x], operation) => {
    // Both ends of the repeated pixels' range round down to the pixel.
    const attributes = { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' };
    return emitter.node('Resize', [x!, '', '', emitter.integers(outputOf(operation).shape)], attributes);
  },
  transpose: (emitter, operands, { attributes: { permutation } }) =>
    emitter.node('Transpose', operands, { perm: permutation }),
  concat: (emitter, operands, { attributes: { axis } }) => emitter.node('Concat', operands, { axis }),
  slice: (emitter, [x], { inputs, attributes: { starts, ends } }) => {
    const { shape } = inputs[0]!;
    const axes = shape.flatMap((size, axis) => (starts[axis] === 0 && ends[axis] === size ? [] : [axis]));
    const at = (values: readonly number[]) => emitter.integers(axes.map((axis) => values[axis]!));
    // Past any end where it reaches to the end, which an input that grows may have elsewhere.
    const untilEnd = ends.map((end, axis) => (end === shape[axis] ? 2 ** 31 - 1 : end));
    return emitter.node('Slice', [x!, at(starts), at(untilEnd), emitter.integers(axes)]);
  },
  pad: (emitter, [x], { attributes: { before, after } }) =>
    emitter.node('Pad', [x!, emitter.integers([...before, ...after])]),

  sum: reduction('ReduceSum'),
  max: reduction('ReduceMax'),
  argmax: (emitter, operands) => toInt32(emitter, emitter.node('ArgMax', operands, { axis: -1, keepdims: 0 })),
  cumsum: (emitter, [x]) => emitter.node('CumSum', [x!, emitter.constant('int64', [], BigInt64Array.of(-1n))]),
  softmax: overLastAxis('Softmax'),
  logSoftmax: overLastAxis('LogSoftmax'),
  crossEntropy: (emitter, [logits, labels], operation) => {
    const { shape } = outputOf(operation);
    const picked = emitter.node(
      'GatherElements',
      [emitter.node('LogSoftmax', [logits!], { axis: -1 }), reshapeTo(emitter, labels!, [...shape, 1])],
      { axis: -1 },
    );
    return emitter.node('Neg', [reshapeTo(emitter, picked, shape)]);
  },
  normalize: (emitter, [x], { inputs, attributes: { epsilon } }) =>
    normalized(emitter, x!, inputs[0]!.shape.at(-1)!, epsilon),
  groupNormalize: (emitter, [x, weight, bias], { inputs, outputs, attributes: { epsilon } }) => {
    const [shape, grouped] = outputs.map((tensor) => tensor.shape) as [Shape, Shape];
    const statistics = normalized(emitter, reshapeTo(emitter, x!, grouped), grouped[2]!, epsilon);
    const perChannel = [shape[1]!, ...shape.slice(2).map(() => 1)];
    const values = reshapeTo(emitter, statistics[0], shape);
    if (
      shape.length === 4 &&
      shape[1]! % 16 === 0 &&
      inputs.slice(1).every((tensor) => emitter.isInitializer(tensor))
    ) {
      // As a convolution it takes one pass, in the layout that ONNX Runtime has for the convolution that follows.
      const filters = reshapeTo(emitter, weight!, [shape[1]!, 1, 1, 1]);
      return [emitter.node('Conv', [values, filters, bias!], { group: shape[1]! }), ...statistics];
    }
    const scaled = emitter.node('Mul', [values, reshapeTo(emitter, weight!, perChannel)]);
    return [emitter.node('Add', [scaled, reshapeTo(emitter, bias!, perChannel)]), ...statistics];
  },
  sort: (emitter, [x], operation) => {
    const [values, indices] = emitter.nodeOf(2, 'TopK', [x!, emitter.integers([outputOf(operation).shape.at(-1)!])]);
    return [values!, toInt32(emitter, indices!)];
  },

  gather: standard('Gather'),
  scatterAdd: (emitter, [indices, updates], operation) => {
    const [n, width] = operation.inputs[1]!.shape as [number, number];
    const rows = emitter.node('Expand', [reshapeTo(emitter, indices!, [n, 1]), emitter.integers([n, width])]);
    return emitter.node('ScatterElements', [emitter.zeros(outputOf(operation).shape), rows, updates!], {
      axis: 0,
      reduction: 'add',
    });
  },
  oneHot: (emitter, [indices], operation) => {
    const depth = emitter.constant('int32', [], Int32Array.of(outputOf(operation).shape.at(-1)!));
    const values = emitter.constant('float32', [2], Float32Array.of(0, 1));
    // ONNX Runtime refuses an index without axes.
    const vector = (name: string) => emitter.node('OneHot', [name, depth, values]);
    if (operation.inputs[0]!.shape.length > 0) return vector(indices!);
    return reshapeTo(emitter, vector(reshapeTo(emitter, indices!, [1])), outputOf(operation).shape);
  },
  takeAlong: overLastAxis('GatherElements'),
  scatterAlong: (emitter, [indices, updates], operation) =>
    emitter.node('ScatterElements', [emitter.zeros(outputOf(operation).shape), indices!, updates!], {
      axis: -1,
      reduction: 'add',
    }),
  // By ScatterND, which copies whole rows: Where took four times as long, and ScatterElements five.
  update: (emitter, [x, block, position], operation) => {
    const rows = operation.inputs[1]!.shape.slice(0, -1);
    const last = rows.length - 1;
    // Each row's index, at position 0.
    const first = BigInt64Array.from({ length: sizeOf(rows) * rows.length }, (_, i) => {
      const [row, axis] = [Math.floor(i / rows.length), i % rows.length];
      return BigInt(Math.floor(row / sizeOf(rows.slice(axis + 1))) % rows[axis]!);
    });
    const alongAxis = BigInt64Array.from({ length: rows.length }, (_, axis) => (axis === last ? 1n : 0n));
    const moved = emitter.node('Mul', [
      emitter.node('Cast', [position!], { to: dataTypes.int64 }),
      emitter.constant('int64', [rows.length], alongAxis),
    ]);
    const indices = emitter.node('Add', [emitter.constant('int64', [...rows, rows.length], first), moved]);
    return emitter.node('ScatterND', [x!, indices, block!]);
  },
};
