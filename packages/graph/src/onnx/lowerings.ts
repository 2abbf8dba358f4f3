import { relativeShape } from '../dynamic-axes.js';
import { sizeOf } from '../shape.js';
import type { Operation, OperatorName, PoolingWindow, Shape, Tensor } from '../tensor.js';
import type { OnnxEmitter } from './emitter.js';
import { dataTypes, microsoft } from './proto.js';

/** Emits one operation as ONNX nodes: takes the names of its operands and returns those of its outputs. */
export type Lowering<Name extends OperatorName> = (
  emitter: OnnxEmitter,
  operands: readonly string[],
  operation: Operation<Name>,
) => string | readonly string[];

/** Emits the ONNX operator with the same meaning. */
const standard =
  (type: string) =>
  (emitter: OnnxEmitter, operands: readonly string[]): string =>
    emitter.node(type, operands);

/** Emits the ONNX operator with the same meaning, over the last axis. */
const overLastAxis =
  (type: string) =>
  (emitter: OnnxEmitter, operands: readonly string[]): string =>
    emitter.node(type, operands, { axis: -1 });

const toInt32 = (emitter: OnnxEmitter, name: string) => emitter.node('Cast', [name], { to: dataTypes.int32 });
const outputOf = (operation: Operation): Tensor => operation.outputs[0]!;

/** Repeats each pixel of images. */
function resize(
  emitter: OnnxEmitter,
  name: string,
  { shape: [batch, channels, height, width] }: Tensor,
  factor: number,
) {
  const shape = emitter.integers([batch!, channels!, height! * factor, width! * factor]);
  // With these modes, all copies of a pixel round down to it.
  const attributes = { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' };
  return emitter.node('Resize', [name, '', '', shape], attributes);
}

const poolingAttributes = ({ size, stride, padding }: PoolingWindow) => ({
  kernel_shape: [size, size],
  strides: [stride, stride],
  pads: padding,
});

const reduction =
  (type: 'ReduceSum' | 'ReduceMax'): Lowering<'sum' | 'max'> =>
  (emitter, [x], { attributes: { axes, keepDims } }) =>
    emitter.node(type, [x!, emitter.integers(axes)], { keepdims: keepDims ? 1 : 0 });

/** Emits (x − mean) / √(variance + epsilon) over the last axis, and 1 / √(variance + epsilon). */
function normalize(emitter: OnnxEmitter, x: string, width: number, epsilon: number): [values: string, scale: string] {
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  const [values, , scale] = emitter.nodeOf(3, 'LayerNormalization', [x, emitter.ones(width)], attributes);
  return [values!, scale!];
}

/** Emits images normalized over each group of channels, and the second and third output of the operation. */
export function normalized(emitter: OnnxEmitter, x: string, { outputs, attributes }: Operation<'groupNormalize'>) {
  const [shape, grouped] = outputs.map((tensor) => tensor.shape) as [Shape, Shape];
  const statistics = normalize(emitter, emitter.reshape(x, grouped), grouped[2]!, attributes.epsilon);
  return { values: emitter.reshape(statistics[0], shape), statistics };
}

/** Operators without a lowering: sources only need a name, and loops are emitted by `emitLoop`. */
type Unlowered = 'input' | 'parameter' | 'constant' | 'loop';

/** The simplest ONNX form of each operator. The passes replace some of them with faster forms. */
export const lowerings: { readonly [Name in Exclude<OperatorName, Unlowered>]: Lowering<Name> } & {
  readonly [Name in Unlowered]?: undefined;
} = {
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
  // The operator of ONNX Runtime: the standard one ran on one thread, at an eighth of the speed.
  gelu: (emitter, operands) => emitter.node('Gelu', operands, {}, microsoft),
  // QuickGelu is x · sigmoid(alpha · x).
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
  conv2d: (emitter, operands, { attributes: { stride, padding } }) =>
    emitter.node('Conv', operands, { strides: [stride, stride], pads: padding }),
  upsampleConv2d: (emitter, [image, ...others], { inputs, attributes: { factor, padding } }) =>
    emitter.node('Conv', [resize(emitter, image!, inputs[0]!, factor), ...others], { pads: padding }),
  conv2dInputGradient: (emitter, operands, { inputs, outputs, attributes: { stride, padding } }) => {
    const [gradient, kernel] = inputs.map(({ shape }) => shape) as [Shape, Shape];
    // Rows and columns that the strided convolution does not reach.
    const rest = [2, 3].map((axis) => {
      const reached = (gradient[axis]! - 1) * stride + kernel[axis]!;
      return outputs[0]!.shape[axis]! + padding[axis - 2]! + padding[axis]! - reached;
    });
    return emitter.node('ConvTranspose', operands, {
      strides: [stride, stride],
      pads: padding,
      output_padding: rest,
    });
  },
  // A convolution of the image with the gradients as kernels, and the batch as channels.
  conv2dWeightGradient: (emitter, operands, { outputs, attributes: { stride, padding } }) => {
    const batchSecond = { perm: [1, 0, 2, 3] };
    const [image, gradient] = operands.map((name) => emitter.node('Transpose', [name], batchSecond));
    const sums = emitter.node('Conv', [image!, gradient!], { dilations: [stride, stride], pads: padding });
    // With a stride, the result may be larger than the kernel.
    const ends = emitter.integers(outputs[0]!.shape.slice(2));
    const taps = emitter.node('Slice', [sums, emitter.integers([0, 0]), ends, emitter.integers([2, 3])]);
    return emitter.node('Transpose', [taps], batchSecond);
  },

  maxPool2d: (emitter, operands, { attributes }) => emitter.node('MaxPool', operands, poolingAttributes(attributes)),
  maxPool2dGradient: (emitter, [x, gradient], operation) => {
    const attributes = poolingAttributes(operation.attributes);
    const { shape } = outputOf(operation);
    // The places of the maxima in the flattened tensor.
    const [, places] = emitter.nodeOf(2, 'MaxPool', [x!], attributes);
    // MaxUnpool takes about 60 % of the time of ScatterElements, but does not add what overlapping windows give to the same place.
    if (operation.attributes.stride >= operation.attributes.size)
      return emitter.node('MaxUnpool', [gradient!, places!, emitter.integers(shape)], attributes);
    const [flatPlaces, flatGradient] = [places!, gradient!].map((name) => emitter.reshape(name, [-1]));
    const sums = emitter.node('ScatterElements', [emitter.zeros([sizeOf(shape)]), flatPlaces!, flatGradient!], {
      axis: 0,
      reduction: 'add',
    });
    return emitter.reshape(sums, shape);
  },

  reshape: (emitter, [x], { inputs, outputs }) => emitter.reshape(x!, relativeShape(inputs[0]!, outputs[0]!)),
  broadcast: (emitter, [x], operation) => emitter.node('Expand', [x!, emitter.integers(outputOf(operation).shape)]),
  upsample: (emitter, [x], { inputs, attributes: { factor } }) => resize(emitter, x!, inputs[0]!, factor),
  transpose: (emitter, operands, { attributes: { permutation } }) =>
    emitter.node('Transpose', operands, { perm: permutation }),
  concat: (emitter, operands, { attributes: { axis } }) => emitter.node('Concat', operands, { axis }),
  slice: (emitter, [x], { inputs, attributes: { starts, ends } }) => {
    const { shape } = inputs[0]!;
    const axes = shape.flatMap((size, axis) => (starts[axis] === 0 && ends[axis] === size ? [] : [axis]));
    const at = (values: readonly number[]) => emitter.integers(axes.map((axis) => values[axis]!));
    // A slice to the end of an axis gets the largest end, because the size of a dynamic axis is not known.
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
      [emitter.node('LogSoftmax', [logits!], { axis: -1 }), emitter.reshape(labels!, [...shape, 1])],
      { axis: -1 },
    );
    return emitter.node('Neg', [emitter.reshape(picked, shape)]);
  },
  normalize: (emitter, [x], { inputs, attributes: { epsilon } }) =>
    normalize(emitter, x!, inputs[0]!.shape.at(-1)!, epsilon),
  groupNormalize: (emitter, [x, weight, bias], operation) => {
    const { values, statistics } = normalized(emitter, x!, operation);
    const perChannel = operation.inputs[0]!.shape.map((size, axis) => (axis === 1 ? size : 1)).slice(1);
    const scaled = emitter.node('Mul', [values, emitter.reshape(weight!, perChannel)]);
    return [emitter.node('Add', [scaled, emitter.reshape(bias!, perChannel)]), ...statistics];
  },
  sort: (emitter, [x], operation) => {
    const [values, indices] = emitter.nodeOf(2, 'TopK', [x!, emitter.integers([outputOf(operation).shape.at(-1)!])]);
    return [values!, toInt32(emitter, indices!)];
  },

  gather: standard('Gather'),
  scatterAdd: (emitter, [indices, updates], operation) => {
    const [n, width] = operation.inputs[1]!.shape as [number, number];
    const rows = emitter.node('Expand', [emitter.reshape(indices!, [n, 1]), emitter.integers([n, width])]);
    return emitter.node('ScatterElements', [emitter.zeros(outputOf(operation).shape), rows, updates!], {
      axis: 0,
      reduction: 'add',
    });
  },
  oneHot: (emitter, [indices], operation) => {
    const depth = emitter.constant('int32', [], Int32Array.of(outputOf(operation).shape.at(-1)!));
    const values = emitter.constant('float32', [2], Float32Array.of(0, 1));
    // ONNX Runtime does not support a scalar index.
    const vector = (name: string) => emitter.node('OneHot', [name, depth, values]);
    if (operation.inputs[0]!.shape.length > 0) return vector(indices!);
    return emitter.reshape(vector(emitter.reshape(indices!, [1])), outputOf(operation).shape);
  },
  takeAlong: overLastAxis('GatherElements'),
  scatterAlong: (emitter, [indices, updates], operation) =>
    emitter.node('ScatterElements', [emitter.zeros(outputOf(operation).shape), indices!, updates!], {
      axis: -1,
      reduction: 'add',
    }),
  update: (emitter, [x, block, position], { inputs }) => {
    const length = inputs[0]!.shape.at(-2)!;
    const positions = Int32Array.from({ length }, (_, i) => i);
    const isThere = emitter.node('Equal', [emitter.constant('int32', [length, 1], positions), position!]);
    return emitter.node('Where', [isThere, block!, x!]);
  },
};
