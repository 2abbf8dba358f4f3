/** Graphs as functions of TensorFlow.js's tensors. */
import type * as tfjs from '@tensorflow/tfjs-core';
import { relativeShape } from '../dynamic-axes.js';
import { GraphError } from '../graph-error.js';
import { describe, isOperation } from '../operation.js';
import { loopBody } from '../operators.js';
import { sizeOf } from '../shape.js';
import type { Graph, Operation, OperatorName, Padding, PoolingWindow, Shape, Tensor, TensorData } from '../tensor.js';
import { topologicalOrder } from '../traversal.js';
import { expectedInputs } from './runtime.js';

/** The exports of `@tensorflow/tfjs-core`, which `@tensorflow/tfjs-node` and `@tensorflow/tfjs` export too. */
export type Tfjs = typeof tfjs;

/** A tensor of TensorFlow.js. Unlike a graph's tensor, it has values. */
export type Value = tfjs.Tensor;

/** Computes the outputs of an operation from its operands. */
type Computation<Name extends OperatorName> = (
  tf: Tfjs,
  operands: readonly Value[],
  operation: Operation<Name>,
) => Value | Value[];

type Unary = 'neg' | 'exp' | 'log' | 'sqrt' | 'reciprocal' | 'abs' | 'sign' | 'sin' | 'cos' | 'tanh' | 'erf';
type Binary = 'add' | 'sub' | 'mul' | 'pow';
type Predicate = 'equal' | 'less' | 'greater' | 'logicalAnd' | 'logicalNot';

/** Calls the TensorFlow.js function with the same name and meaning. */
const same =
  (name: Unary | Binary | 'sigmoid' | 'relu') =>
  (tf: Tfjs, operands: readonly Value[]): Value =>
    (tf[name] as (...operands: Value[]) => Value)(...operands);

/** Calls a TensorFlow.js function that returns booleans. */
const predicate =
  (name: Predicate) =>
  (tf: Tfjs, operands: readonly Value[]): Value =>
    withoutGradient(tf, () => (tf[name] as (...operands: Value[]) => Value)(...operands));

/** Calls a TensorFlow.js function whose gradient is not summed over broadcast axes, with operands that are broadcast first. */
const broadcast =
  (name: 'maximum' | 'minimum') =>
  (tf: Tfjs, [a, b]: readonly Value[], { outputs }: Operation): Value => {
    const shape = outputs[0]!.shape as number[];
    return tf[name](tf.broadcastTo(a!, shape), tf.broadcastTo(b!, shape));
  };

/** The TensorFlow.js computation of each operator, except inputs and parameters, whose values are passed in. */
export const tfjsOperators: { readonly [Name in Exclude<OperatorName, 'input' | 'parameter'>]: Computation<Name> } & {
  readonly [Name in 'input' | 'parameter']?: undefined;
} = {
  constant: (tf, _, { attributes: { value } }) => upload(tf, value),

  neg: same('neg'),
  exp: same('exp'),
  log: same('log'),
  sqrt: same('sqrt'),
  reciprocal: same('reciprocal'),
  abs: same('abs'),
  sign: same('sign'),
  sin: same('sin'),
  cos: same('cos'),
  tanh: same('tanh'),
  erf: same('erf'),
  sigmoid: same('sigmoid'),
  relu: same('relu'),
  swish: (tf, [x]) => tf.mul(x!, tf.sigmoid(x!)),
  gelu: (tf, [x]) => tf.mul(tf.mul(x!, 0.5), tf.add(tf.erf(tf.mul(x!, Math.SQRT1_2)), 1)),
  logicalNot: predicate('logicalNot'),
  stopGradient: (tf, [x]) => withoutGradient(tf, () => tf.clone(x!)),
  cast: (tf, [x], { attributes: { dtype } }) =>
    withoutGradient(tf, () => (dtype === 'bool' ? tf.notEqual(x!, 0) : tf.cast(x!, dtype))),

  add: same('add'),
  sub: same('sub'),
  mul: same('mul'),
  div: (tf, [a, b]) => (a!.dtype === 'int32' ? truncatedQuotient(tf, a!, b!) : tf.div(a!, b!)),
  pow: same('pow'),
  maximum: broadcast('maximum'),
  minimum: broadcast('minimum'),
  equal: predicate('equal'),
  less: predicate('less'),
  greater: predicate('greater'),
  logicalAnd: predicate('logicalAnd'),
  select: (tf, [condition, a, b]) => tf.where(condition!, a!, b!),

  matmul: (tf, [a, b], { attributes: { transposeA, transposeB } }) => {
    if (a!.rank === b!.rank) return tf.matMul(a!, b!, transposeA, transposeB);
    // The whole batch shares one matrix: compute one product over all rows.
    const rows = transposeA ? swapLastAxes(tf, a!) : a!;
    const product = tf.matMul(tf.reshape(rows, [-1, rows.shape.at(-1)!]), b!, false, transposeB);
    return tf.reshape(product, [...rows.shape.slice(0, -1), product.shape.at(-1)!]);
  },
  conv2d: (tf, operands, { attributes }) => convolve(tf, operands, attributes),
  upsampleConv2d: (tf, [image, ...others], { attributes: { factor, padding } }) =>
    convolve(tf, [repeatPixels(tf, image!, factor), ...others], { stride: 1, padding }),
  conv2dInputGradient: (tf, [gradient, kernel], { attributes: { stride, padding }, outputs }) => {
    const [top, left, bottom, right] = padding;
    const [batch, channels, height, width] = outputs[0]!.shape as [number, number, number, number];
    const padded: [number, number, number, number] = [batch, top + height + bottom, left + width + right, channels];
    const image = tf.conv2dTranspose(
      channelsLast(tf, gradient!),
      kernelLast(tf, kernel!),
      padded,
      [stride, stride],
      'valid',
    );
    return channelsFirst(tf, tf.slice(image, [0, top, left, 0], [batch, height, width, channels]));
  },
  conv2dWeightGradient: (tf, [image, gradient], { attributes: { stride, padding }, outputs }) => {
    const { shape } = outputs[0]!;
    // The wasm backend does not have this TensorFlow.js kernel, and the kernel has no gradient.
    const native = !tf.engine().isTapeOn() && tf.getKernel('Conv2DBackpropFilter', tf.getBackend());
    const compute = native ? weightGradient : weightGradientByTaps;
    return compute(tf, channelsLast(tf, image!), channelsLast(tf, gradient!), shape, stride, padding);
  },

  maxPool2d: (tf, [x], { attributes }) => channelsFirst(tf, maxPool(tf, padForMaximum(tf, x!, attributes), attributes)),
  maxPool2dGradient: (tf, [x, gradient], { attributes, outputs }) => {
    const input = padForMaximum(tf, x!, attributes);
    const inputs = { dy: channelsLast(tf, gradient!), input, output: maxPool(tf, input, attributes) };
    const { size: filterSize, stride: strides } = attributes;
    const image = tf.engine().runKernel('MaxPoolGrad', inputs, { filterSize, strides, pad: 'valid' }) as Value;
    const [batch, channels, height, width] = outputs[0]!.shape as [number, number, number, number];
    const [top, left] = attributes.padding;
    return channelsFirst(tf, tf.slice(image, [0, top, left, 0], [batch, height, width, channels]));
  },

  reshape: (tf, [x], { inputs, outputs }) => {
    const { dynamic = [] } = outputs[0]!;
    const shape = relativeShape(inputs[0]!, outputs[0]!);
    return tf.reshape(
      x!,
      shape.map((size, axis) => (size === 0 && dynamic.includes(axis) ? x!.shape[axis]! : size)),
    );
  },
  upsample: (tf, [x], { attributes: { factor } }) => repeatPixels(tf, x!, factor),
  broadcast: (tf, [x], { outputs }) => tf.broadcastTo(x!, outputs[0]!.shape as number[]),
  transpose: (tf, [x], { attributes: { permutation } }) => tf.transpose(x!, [...permutation]),
  concat: (tf, parts, { attributes: { axis } }) => tf.concat([...parts], axis),
  slice: (tf, [x], { attributes: { starts, ends }, inputs }) => {
    // −1 for a slice to the end of an axis, because the size of a dynamic axis is not known.
    const sizes = starts.map((start, axis) => (ends[axis] === inputs[0]!.shape[axis] ? -1 : ends[axis]! - start));
    return tf.slice(x!, [...starts], sizes);
  },
  pad: (tf, [x], { attributes: { before, after } }) =>
    tf.pad(
      x!,
      before.map((size, axis) => [size, after[axis]!]),
    ),

  sum: (tf, [x], { attributes: { axes, keepDims } }) => tf.sum(x!, [...axes], keepDims),
  max: (tf, [x], { attributes: { axes, keepDims } }) => tf.max(x!, [...axes], keepDims),
  argmax: (tf, [x]) => withoutGradient(tf, () => tf.argMax(x!, x!.rank - 1)),
  cumsum: (tf, [x]) => tf.cumsum(x!, x!.rank - 1),
  softmax: (tf, [x]) => tf.softmax(x!),
  logSoftmax: (tf, [x]) => tf.logSoftmax(x!),
  crossEntropy: (tf, [logits, labels]) => {
    const picked = takeAlong(tf, tf.logSoftmax(logits!), tf.reshape(labels!, [...labels!.shape, 1]));
    return tf.neg(tf.reshape(picked, labels!.shape));
  },
  normalize: (tf, [x], { attributes: { epsilon } }) => normalized(tf, x!, epsilon),
  groupNormalize: (tf, [x, weight, bias], { attributes: { groups, epsilon } }) => {
    const grouped = normalized(tf, tf.reshape(x!, [x!.shape[0]!, groups, -1]), epsilon);
    const perChannel = [x!.shape[1]!, ...x!.shape.slice(2).map(() => 1)];
    const scaled = tf.mul(tf.reshape(grouped[0], x!.shape), tf.reshape(weight!, perChannel));
    return [tf.add(scaled, tf.reshape(bias!, perChannel)), ...grouped];
  },
  sort: (tf, [x], { outputs }) => {
    const indices = withoutGradient(tf, () => tf.topk(x!, outputs[0]!.shape.at(-1)!, true).indices);
    return [takeAlong(tf, x!, indices), indices];
  },

  gather: (tf, [table, indices]) => tf.gather(table!, indices!),
  scatterAdd: (tf, [indices, updates], { outputs }) => scatterRows(tf, indices!, updates!, outputs[0]!.shape),
  // Not `tf.oneHot` of float32 or `tf.cast` to bool: the wasm backend reads the bytes of one type as the other type.
  oneHot: (tf, [indices], { outputs }) => tf.cast(tf.oneHot(indices!, outputs[0]!.shape.at(-1)!), 'float32'),
  takeAlong: (tf, [x, indices]) => takeAlong(tf, x!, indices!),
  scatterAlong: (tf, [indices, updates], { outputs }) => {
    const { shape } = outputs[0]!;
    const flat = flatIndices(tf, indices!, shape.at(-1)!);
    const sums = scatterRows(tf, flat, tf.reshape(updates!, [-1, 1]), [sizeOf(shape), 1]);
    return tf.reshape(sums, shape as number[]);
  },
  update: (tf, [x, block, position]) => {
    const positions = tf.reshape(tf.range(0, x!.shape.at(-2)!, 1, 'int32'), [-1, 1]);
    return tf.where(tf.equal(positions, position!), block!, x!);
  },

  loop: (tf, operands, operation) => {
    const { count, iteration, carried, stacked, proceeds } = operation.attributes;
    const body = bodyOf(operation);
    const captured = operation.inputs.slice(carried.length).map((tensor, i) => {
      return [tensor, operands[carried.length + i]!] as const;
    });
    let state = operands.slice(0, carried.length).map((value) => tf.clone(value));
    const stacks: Value[][] = stacked.map(() => []);
    for (let i = 0; i < count; i++) {
      if (proceeds !== undefined && state[proceeds]!.dataSync()[0] === 0) break;
      const values = new Map<Tensor, Value>(captured);
      const number = tf.scalar(i, 'int32');
      values.set(iteration, number);
      for (const [j, tensor] of carried.entries()) values.set(tensor, state[j]!);
      const results = evaluate(tf, body, values);
      tf.dispose([number, ...state]);
      state = results.slice(0, carried.length);
      for (const [j, stack] of stacks.entries()) stack.push(results[carried.length + j]!);
    }
    const joined = stacks.map((stack, i) =>
      count > 0 ? tf.stack(stack) : tf.zeros([0, ...stacked[i]!.shape], stacked[i]!.dtype),
    );
    return [...state, ...joined];
  },
};

/**
 * Runs a computation without a gradient. TensorFlow.js throws an error when it differentiates a kernel without a gradient, such as a
 * comparison. It does not differentiate a custom function without operands.
 */
function withoutGradient(tf: Tfjs, compute: () => Value): Value {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))();
}

/** Computes a quotient truncated toward zero, as in ONNX and C. `tf.div` of integers rounds down. */
function truncatedQuotient(tf: Tfjs, a: Value, b: Value): Value {
  const floor = tf.floorDiv(a, b);
  const negative = tf.logicalXor(tf.less(a, 0), tf.less(b, 0));
  const roundedDown = tf.logicalAnd(negative, tf.notEqual(tf.mul(floor, b), a));
  return tf.add(floor, tf.cast(roundedDown, 'int32'));
}

function swapLastAxes(tf: Tfjs, x: Value): Value {
  return tf.transpose(x, [...Array(x.rank - 2).keys(), x.rank - 1, x.rank - 2]);
}

/** Converts images to TensorFlow's layout: `[batch, height, width, channels]`. */
const channelsLast = (tf: Tfjs, image: Value) => tf.transpose(image, [0, 2, 3, 1]) as tfjs.Tensor4D;
/** Converts images to the graph's layout: `[batch, channels, height, width]`. */
const channelsFirst = (tf: Tfjs, image: Value) => tf.transpose(image, [0, 3, 1, 2]);
/** Converts kernels to TensorFlow's layout: `[rows, columns, in, out]`. */
const kernelLast = (tf: Tfjs, kernel: Value) => tf.transpose(kernel, [2, 3, 1, 0]) as tfjs.Tensor4D;

function convolve(
  tf: Tfjs,
  [image, kernel, bias]: readonly Value[],
  { stride, padding }: { readonly stride: number; readonly padding: Padding },
): Value {
  const product = tf.conv2d(padImage(tf, channelsLast(tf, image!), padding), kernelLast(tf, kernel!), stride, 'valid');
  return channelsFirst(tf, bias ? tf.add(product, bias) : product);
}

const maxPool = (tf: Tfjs, image: tfjs.Tensor4D, { size, stride }: PoolingWindow): tfjs.Tensor4D =>
  tf.maxPool(image, size, stride, 'valid');

/** Pads images `[batch, channels, height, width]` with pixels that are never the maximum: `[batch, height, width, channels]`. */
const padForMaximum = (tf: Tfjs, image: Value, { padding }: PoolingWindow): tfjs.Tensor4D =>
  padImage(tf, channelsLast(tf, image), padding, Number.NEGATIVE_INFINITY);

/** Repeats each pixel of images `[batch, channels, height, width]` along rows and columns. */
function repeatPixels(tf: Tfjs, x: Value, factor: number): Value {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  // In two steps, because TensorFlow.js has no gradient for a tile of five axes.
  const columns = tf.tile(tf.reshape(x, [-1, 1]), [1, factor]);
  const rows = tf.tile(tf.reshape(columns, [-1, 1, width * factor]), [1, factor, 1]);
  return tf.reshape(rows, [batch, channels, height * factor, width * factor]);
}

function padImage(tf: Tfjs, image: tfjs.Tensor4D, [top, left, bottom, right]: Padding, value = 0): tfjs.Tensor4D {
  const amounts: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
  return amounts.flat().some((amount) => amount > 0) ? tf.pad(image, amounts, value) : image;
}

/** Computes the gradient of a convolution by its kernel, `[out, in, rows, columns]`. */
function weightGradient(
  tf: Tfjs,
  image: tfjs.Tensor4D,
  gradient: tfjs.Tensor4D,
  shape: Shape,
  stride: number,
  padding: Padding,
): Value {
  const [out, channels, rows, columns] = shape as [number, number, number, number];
  const inputs = { x: padImage(tf, image, padding), dy: gradient };
  const attributes = { strides: [stride, stride], pad: 'valid', dataFormat: 'NHWC' };
  const filterShape = [rows, columns, channels, out];
  const kernel = tf.engine().runKernel('Conv2DBackpropFilter', inputs, { ...attributes, filterShape }) as Value;
  return tf.transpose(kernel, [3, 2, 0, 1]);
}

/** Computes the same as `weightGradient`, by one matrix product per kernel tap: its input pixels times the gradient of the result. */
function weightGradientByTaps(
  tf: Tfjs,
  image: tfjs.Tensor4D,
  gradient: tfjs.Tensor4D,
  shape: Shape,
  stride: number,
  [top, left, bottom, right]: Padding,
): Value {
  const [out, channels, rows, columns] = shape as [number, number, number, number];
  const [batch, outHeight, outWidth] = gradient.shape;
  // Pad by one more stride, so that every tap's view divides into whole strides, of which the first element is used.
  const padded = padImage(tf, image, [top, left, bottom + stride - 1, right + stride - 1]);
  const made = tf.reshape(gradient, [-1, out]);
  const taps: Value[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const view = tf.slice(padded, [0, row, column, 0], [batch, outHeight * stride, outWidth * stride, channels]);
      const strides = tf.reshape(view, [batch * outHeight, stride, outWidth, stride * channels]);
      const seen = tf.slice(strides, [0, 0, 0, 0], [batch * outHeight, 1, outWidth, channels]);
      taps.push(tf.matMul(tf.reshape(seen, [-1, channels]), made, true));
    }
  }
  return tf.transpose(tf.reshape(tf.stack(taps), [rows, columns, channels, out]), [3, 2, 0, 1]);
}

/** Converts indices along a last axis of the given width to indices into the flattened tensor. */
function flatIndices(tf: Tfjs, indices: Value, width: number): Value {
  const count = indices.shape.at(-1)!;
  const rows = indices.size / count;
  const offsets = tf.reshape(tf.range(0, rows * width, width, 'int32'), [rows, 1]);
  return tf.reshape(tf.add(tf.reshape(indices, [rows, count]), offsets), [-1]);
}

/** Computes (x − mean) / √(variance + epsilon) over the last axis, and 1 / √(variance + epsilon). */
function normalized(tf: Tfjs, x: Value, epsilon: number): [Value, Value] {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  const reciprocalDeviation = tf.rsqrt(tf.add(variance, epsilon));
  return [tf.mul(centred, reciprocalDeviation), reciprocalDeviation];
}

function takeAlong(tf: Tfjs, x: Value, indices: Value): Value {
  const picked = tf.gather(tf.reshape(x, [-1]), flatIndices(tf, indices, x.shape.at(-1)!));
  return tf.reshape(picked, indices.shape);
}

/** Adds rows to a table of zeros, with a custom gradient, because TensorFlow.js has none. */
function scatterRows(tf: Tfjs, indices: Value, updates: Value, shape: Shape): Value {
  const scatter = tf.customGrad((updates, save) => {
    (save as tfjs.GradSaveFunc)([indices]);
    const value = tf.scatterND(tf.reshape(indices, [-1, 1]), updates as Value, shape as number[]);
    return { value, gradFunc: (gradient, [indices]) => tf.gather(gradient, indices!) };
  });
  return scatter(updates);
}

export function upload(tf: Tfjs, { data, shape, dtype }: TensorData): Value {
  // Copy: the cpu backend of TensorFlow.js would keep using the caller's array.
  return tf.tensor(data.slice(), shape as number[], dtype);
}

export async function download({ dtype }: Tensor, value: Value): Promise<TensorData> {
  const { shape } = value;
  const data = await value.data();
  // Copy for the same reason.
  if (dtype === 'float32') return { dtype, shape, data: Float32Array.from(data) };
  if (dtype === 'int32') return { dtype, shape, data: Int32Array.from(data) };
  return { dtype, shape, data: Uint8Array.from(data) };
}

/** Operations in the order of computation, with the tensors to free after each. */
interface Plan {
  readonly steps: readonly { readonly operation: Operation; readonly released: readonly Tensor[] }[];
  readonly results: readonly Tensor[];
}

/** Plans a computation that frees its intermediate tensors, and the given arguments, after their last use. */
function plan(operations: readonly Operation[], results: readonly Tensor[], arguments_: readonly Tensor[]): Plan {
  const owned = new Set([...arguments_, ...operations.flatMap(({ outputs }) => outputs)]);
  const needed = new Set(results);
  const steps = [...operations].reverse().map((operation) => {
    const touched = new Set([...operation.inputs, ...operation.outputs]);
    const released = [...touched].filter((tensor) => owned.has(tensor) && !needed.has(tensor));
    for (const tensor of released) needed.add(tensor);
    return { operation, released };
  });
  return { steps: steps.reverse(), results };
}

/** Computes a plan's results from the values of its sources. */
export function evaluate(tf: Tfjs, { steps, results }: Plan, values: Map<Tensor, Value>): Value[] {
  return tf.tidy(() => {
    for (const { operation, released } of steps) {
      const operands = operation.inputs.map((tensor) => values.get(tensor)!);
      const compute = tfjsOperators[operation.name] as Computation<OperatorName>;
      const computed = tf.tidy(() => compute(tf, operands, operation));
      const outputs = Array.isArray(computed) ? computed : [computed];
      for (const [i, tensor] of operation.outputs.entries()) values.set(tensor, outputs[i]!);
      for (const tensor of released) values.get(tensor)!.dispose();
    }
    // Clone, because a value may be several results, or may belong to the caller.
    return results.map((tensor) => tf.clone(values.get(tensor)!));
  });
}

const bodies = new WeakMap<Operation<'loop'>, Plan>();

function bodyOf(operation: Operation<'loop'>): Plan {
  let body = bodies.get(operation);
  if (!body) {
    const { operations, results, arguments_ } = loopBody(operation);
    body = plan(operations, results, arguments_);
    bodies.set(operation, body);
  }
  return body;
}

export function planOf(graph: Graph, sources: ReadonlyMap<string, Tensor>, arguments_: readonly Tensor[]): Plan {
  const given = new Set([...sources.values()].map(({ operation }) => operation));
  const results = Object.values(graph.outputs);
  const operations = topologicalOrder(results).filter((operation) => !given.has(operation));
  for (const operation of operations) {
    if (isOperation(operation, 'input'))
      throw new GraphError(
        `The outputs depend on input ${operation.attributes.name}, which must be among the graph's inputs.`,
      );
  }
  return plan(operations, results, arguments_);
}

/**
 * Applies a graph to tensors of TensorFlow.js: takes its inputs and parameters by name, and returns its outputs, which the caller must
 * dispose of. TensorFlow.js can differentiate it.
 *
 * @throws GraphError if an input or a parameter is missing.
 */
export function interpret(tf: Tfjs, graph: Graph, inputs: Readonly<Record<string, Value>>): Record<string, Value> {
  const sources = expectedInputs(graph, {});
  const values = new Map<Tensor, Value>();
  for (const [name, tensor] of sources) {
    const value = inputs[name];
    if (!value) throw new GraphError(`interpret: input ${name}, ${describe(tensor)}, is missing.`);
    values.set(tensor, value);
  }
  const results = evaluate(tf, planOf(graph, sources, []), values);
  return Object.fromEntries(Object.keys(graph.outputs).map((name, i) => [name, results[i]!]));
}
