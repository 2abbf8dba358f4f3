import { sameShape, sizeOf } from '../shape.js';
import type { DType, Operation, OperatorName, Padding, PoolingWindow, Shape } from '../tensor.js';
import { type Combination, listOf, type StableHloEmitter, typeOf, type Value } from './emitter.js';

/** Emits one operation as StableHLO: takes the values of its operands and returns those of its outputs. */
export type Lowering<Name extends OperatorName> = (
  emitter: StableHloEmitter,
  operands: readonly Value[],
  operation: Operation<Name>,
) => Value | readonly Value[];

/** Operators without a lowering: `emitStableHlo` defines sources and emits loops, and constants are emitted where they are used. */
type Unlowered = 'input' | 'parameter' | 'constant' | 'loop';

const unary =
  (name: string) =>
  (emitter: StableHloEmitter, [x]: readonly Value[]): Value =>
    emitter.unary(name, x!);

const binary =
  (name: string) =>
  (emitter: StableHloEmitter, [a, b]: readonly Value[]): Value =>
    emitter.binary(name, a!, b!);

const comparison =
  (direction: 'EQ' | 'LT' | 'GT') =>
  (emitter: StableHloEmitter, [a, b]: readonly Value[]): Value =>
    emitter.compare(direction, a!, b!);

const reduction =
  (combination: Combination, start: number): Lowering<'sum' | 'max'> =>
  (emitter, [x], { attributes: { axes, keepDims } }) =>
    emitter.reduce(combination, emitter.masked(x!, axes, start), axes, { start, keep: keepDims });

const shapeOf = ({ outputs }: Operation): Shape => outputs[0]!.shape;
const lastAxis = ({ shape }: { shape: Shape }): number => shape.length - 1;
const leadingAxes = (shape: Shape): number[] => shape.slice(0, -1).map((_, axis) => axis);
const largestInt32 = 2 ** 31 - 1;

/** Products in float32 have operands in float32: by default, some devices round them to fewer bits. */
const precision = ({ compute }: Pick<StableHloEmitter, 'compute'>): string =>
  compute === 'float32' ? 'HIGHEST' : 'DEFAULT';

// ------------------------------------------------------------------------------------------------------------- convolutions

/** The axes of images and of kernels in the order in which `convolve` needs them. */
interface AxisOrders {
  /** Which axis of the images is the batch, the rows, the columns, and the channels. */
  readonly images: readonly number[];
  /** Which axis of the kernel is the rows, the columns, the input channels, and the output channels. */
  readonly kernel: readonly number[];
  /** Which axis of the result is the batch, the rows, the columns, and the channels. */
  readonly result: readonly number[];
}

const channelsLast = [0, 2, 3, 1];
const forward: AxisOrders = { images: channelsLast, kernel: [2, 3, 1, 0], result: channelsLast };
/** The gradients of the images: kernels lead from their output channels to their input channels. */
const toImages: AxisOrders = { images: channelsLast, kernel: [2, 3, 0, 1], result: channelsLast };
/** The gradients of the kernel: sums over the batch, with the images' channels as their batch. */
const toKernel: AxisOrders = { images: [1, 2, 3, 0], kernel: [2, 3, 0, 1], result: [1, 2, 3, 0] };

/** Rows and columns. */
type Pair = readonly [number, number];

interface Window {
  readonly stride?: Pair;
  readonly before: Pair;
  readonly after: Pair;
  /** Distance of adjacent pixels: zeros lie between them. */
  readonly pixelDistance?: Pair;
  /** Distance of adjacent elements of the kernel. */
  readonly kernelDistance?: Pair;
}

/**
 * Convolves with channels last, between explicit transposes. On processors XLA has fast convolutions for this order only. It changes
 * the order itself, but not inside of loops, where images with channels first took 18 to 140 times as long.
 */
function convolve(
  emitter: StableHloEmitter,
  operands: readonly [Value, Value],
  shape: Shape,
  orders: AxisOrders,
  window: Window,
) {
  const { stride = [1, 1], before, after, pixelDistance = [1, 1], kernelDistance = [1, 1] } = window;
  const images = emitter.convert(emitter.transpose(operands[0], orders.images), emitter.compute);
  const kernel = emitter.convert(emitter.transpose(operands[1], orders.kernel), emitter.compute);
  const result = orders.result.map((axis) => shape[axis]!);
  const padding = `[[${before[0]}, ${after[0]}], [${before[1]}, ${after[1]}]]`;
  const where = `{stride = ${listOf(stride)}, pad = ${padding}, lhs_dilate = ${listOf(pixelDistance)}, rhs_dilate = ${listOf(kernelDistance)}}`;
  const precisions = Array(2).fill(`#stablehlo<precision ${precision(emitter)}>`);
  const attributes = `{batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = ${listOf(precisions)}}`;
  const types = `(${typeOf(images)}, ${typeOf(kernel)}) -> ${typeOf({ shape: result, dtype: emitter.compute })}`;
  const sums = emitter.value(
    `stablehlo.convolution(${images.name}, ${kernel.name}) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = ${where} ${attributes} : ${types}`,
    result,
    emitter.compute,
  );
  const inOrder = shape.map((_, axis) => orders.result.indexOf(axis));
  return emitter.transpose(emitter.convert(sums, 'float32'), inOrder);
}

function addBias(emitter: StableHloEmitter, images: Value, bias: Value | undefined): Value {
  return bias ? emitter.binary('add', images, emitter.reshape(bias, [sizeOf(bias.shape), 1, 1])) : images;
}

const padded = ([top, left, bottom, right]: Padding) => ({ before: [top, left], after: [bottom, right] }) as const;

/** Repeats each pixel of images. */
function repeatPixels(emitter: StableHloEmitter, x: Value, factor: number): Value {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const repeated = emitter.broadcast(x, [batch, channels, height, factor, width, factor], [0, 1, 2, 4]);
  return emitter.reshape(repeated, [batch, channels, height * factor, width * factor]);
}

// ------------------------------------------------------------------------------------------------- over the last axis

/** Computes (x − mean) / √(variance + epsilon) over the last axis, and 1 / √(variance + epsilon). */
function normalize(emitter: StableHloEmitter, x: Value, epsilon: number): [values: Value, scale: Value] {
  const axis = lastAxis(x);
  const size = x.sizes.get(axis);
  const inside = (value: Value) => emitter.masked({ ...value, sizes: x.sizes }, [axis], 0);
  const width = size ? emitter.convert(emitter.size(size), 'float32') : emitter.scalar(x.shape[axis]!);
  const mean = emitter.binary('divide', emitter.sumLast(inside(x), true), width);
  const centred = emitter.binary('subtract', x, mean);
  const squares = emitter.sumLast(inside(emitter.binary('multiply', centred, centred)), true);
  const variance = emitter.binary('divide', squares, width);
  const scale = emitter.unary('rsqrt', emitter.binary('add', variance, emitter.scalar(epsilon)));
  return [emitter.binary('multiply', centred, scale), scale];
}

function logSoftmax(emitter: StableHloEmitter, x: Value): Value {
  const inside = emitter.masked(x, [lastAxis(x)], -Infinity);
  const shifted = emitter.binary('subtract', inside, emitter.maxLast(inside));
  return emitter.binary(
    'subtract',
    shifted,
    emitter.unary('log', emitter.sumLast(emitter.unary('exponential', shifted), true)),
  );
}

/** Returns, for indices `[…]`, where along the last axis of `[…, classes]` each index is: bool. */
function isAtIndex(emitter: StableHloEmitter, indices: Value, classes: number): Value {
  const shape = [...indices.shape, classes];
  const spread = emitter.broadcast(indices, shape, [...indices.shape.keys()]);
  return emitter.compare('EQ', emitter.iota(shape, lastAxis({ shape })), spread);
}

// ----------------------------------------------------------------------------------------------------------------- regions

/** Returns a region that checks for two floats whether the first one is at least as large. */
function isNotLess(emitter: StableHloEmitter): string {
  const [a, b, result] = [emitter.fresh(), emitter.fresh(), emitter.fresh()];
  const [type, bool] = [typeOf({ shape: [], dtype: 'float32' }), typeOf({ shape: [], dtype: 'bool' })];
  return `{ ^bb0(${a}: ${type}, ${b}: ${type}): ${result} = stablehlo.compare GE, ${a}, ${b}, FLOAT : (${type}, ${type}) -> ${bool} stablehlo.return ${result} : ${bool} }`;
}

/** Windows of a tensor: their size and their distance along each axis, and the padding before and after it. */
interface Windows {
  readonly sizes: Shape;
  readonly strides: Shape;
  readonly padding: readonly (readonly [before: number, after: number])[];
}

function windowAttributes({ sizes, strides, padding }: Windows): string {
  const pairs = listOf(padding.map(listOf));
  return `{window_dimensions = array<i64: ${sizes.join(', ')}>, window_strides = array<i64: ${strides.join(', ')}>, padding = dense<${pairs}> : tensor<${padding.length}x2xi64>}`;
}

function poolingWindows({ size, stride, padding: [top, left, bottom, right] }: PoolingWindow): Windows {
  return {
    sizes: [1, 1, size, size],
    strides: [1, 1, stride, stride],
    padding: [
      [0, 0],
      [0, 0],
      [top, bottom],
      [left, right],
    ],
  };
}

/** Combines the elements of each window, with a start value for the padding. */
function reduceWindows(
  emitter: StableHloEmitter,
  combination: Combination,
  x: Value,
  { start, windows, shape }: { readonly start: number; readonly windows: Windows; readonly shape: Shape },
): Value {
  const initial = emitter.scalar(start, x.dtype as DType);
  const region = emitter.combining(combination, x.dtype);
  const types = `(${typeOf(x)}, ${typeOf(initial)}) -> ${typeOf({ shape, dtype: x.dtype })}`;
  const text = `"stablehlo.reduce_window"(${x.name}, ${initial.name}) (${region}) ${windowAttributes(windows)} : ${types}`;
  return emitter.value(text, shape, x.dtype);
}

// ---------------------------------------------------------------------------------------------------------------- indexing

/** Looks up blocks of a tensor, as the dimension numbers say. */
function gather(
  emitter: StableHloEmitter,
  [x, indices]: readonly [Value, Value],
  shape: Shape,
  { numbers, block }: { numbers: string; block: Shape },
): Value {
  const attributes = `{dimension_numbers = #stablehlo.gather<${numbers}>, slice_sizes = array<i64: ${block.join(', ')}>, indices_are_sorted = false}`;
  const types = `(${typeOf(x)}, ${typeOf(indices)}) -> ${typeOf({ shape, dtype: x.dtype })}`;
  return emitter.value(`"stablehlo.gather"(${x.name}, ${indices.name}) ${attributes} : ${types}`, shape, x.dtype);
}

/** How each operator is computed by StableHLO (https://openxla.org/stablehlo/spec). */
export const lowerings: { readonly [Name in Exclude<OperatorName, Unlowered>]: Lowering<Name> } & {
  readonly [Name in Unlowered]?: undefined;
} = {
  neg: unary('negate'),
  exp: unary('exponential'),
  log: unary('log'),
  sqrt: unary('sqrt'),
  reciprocal: (emitter, [x]) => emitter.binary('divide', emitter.scalar(1), x!),
  abs: unary('abs'),
  sign: unary('sign'),
  sin: unary('sine'),
  cos: unary('cosine'),
  tanh: unary('tanh'),
  erf: (emitter, [x]) => emitter.erf(x!),
  sigmoid: unary('logistic'),
  relu: (emitter, [x]) => emitter.binary('maximum', x!, emitter.scalar(0)),
  gelu: (emitter, [x]) => {
    const half = emitter.binary('multiply', x!, emitter.scalar(0.5));
    const error = emitter.erf(emitter.binary('multiply', x!, emitter.scalar(Math.SQRT1_2)));
    return emitter.binary('multiply', half, emitter.binary('add', error, emitter.scalar(1)));
  },
  swish: (emitter, [x]) => emitter.binary('multiply', x!, emitter.unary('logistic', x!)),
  logicalNot: unary('not'),
  stopGradient: (_, [x]) => x!,
  cast: (emitter, [x], { attributes: { dtype } }) =>
    dtype === 'bool' ? emitter.compare('NE', x!, emitter.scalar(0, x!.dtype as DType)) : emitter.convert(x!, dtype),

  add: binary('add'),
  sub: binary('subtract'),
  mul: binary('multiply'),
  div: binary('divide'),
  pow: binary('power'),
  maximum: binary('maximum'),
  minimum: binary('minimum'),
  equal: comparison('EQ'),
  less: comparison('LT'),
  greater: comparison('GT'),
  logicalAnd: binary('and'),
  select: (emitter, [condition, a, b], { outputs: [result] }) =>
    // Rematerialization copies a tensor this way, and XLA would merge the copy with the original.
    a!.name === b!.name && sameShape(a!.shape, result!.shape)
      ? emitter.copy(a!, condition!)
      : emitter.select(condition!, a!, b!),

  matmul: (emitter, [a, b], operation) => {
    const { transposeA, transposeB, exact } = operation.attributes;
    const compute = exact ? 'float32' : emitter.compute;
    const [rankA, rankB] = [a!.shape.length, b!.shape.length];
    const summedA = transposeA ? rankA - 2 : rankA - 1;
    const summedB = transposeB ? rankB - 1 : rankB - 2;
    const batch = listOf(b!.shape.slice(0, -2).map((_, axis) => axis));
    const left = emitter.convert(emitter.masked(a!, [summedA], 0), compute);
    const right = emitter.convert(emitter.masked(b!, [summedB], 0), compute);
    const axes = `${rankB > 2 ? `batching_dims = ${batch} x ${batch}, ` : ''}contracting_dims = [${summedA}] x [${summedB}]`;
    const precisions = listOf(Array(2).fill(precision({ compute })));
    const types = `(${typeOf(left)}, ${typeOf(right)}) -> ${typeOf(operation.outputs[0]!)}`;
    const text = `stablehlo.dot_general ${left.name}, ${right.name}, ${axes}, precision = ${precisions} : ${types}`;
    return emitter.value(text, shapeOf(operation), 'float32');
  },
  conv2d: (emitter, [x, kernel, bias], operation) => {
    const { stride, padding } = operation.attributes;
    const window = { ...padded(padding), stride: [stride, stride] } as const;
    return addBias(emitter, convolve(emitter, [x!, kernel!], shapeOf(operation), forward, window), bias);
  },
  upsampleConv2d: (emitter, [x, kernel, bias], operation) => {
    const { factor, padding } = operation.attributes;
    const operands = [repeatPixels(emitter, x!, factor), kernel!] as const;
    return addBias(emitter, convolve(emitter, operands, shapeOf(operation), forward, padded(padding)), bias);
  },
  // A convolution of the gradient, with zeros between its pixels if there is a stride, with the flipped kernel.
  conv2dInputGradient: (emitter, [gradient, kernel], operation) => {
    const { stride, padding } = operation.attributes;
    const flipped = emitter.value(
      `stablehlo.reverse ${kernel!.name}, dims = [2, 3] : ${typeOf(kernel!)}`,
      kernel!.shape,
      'float32',
    );
    const margins = [2, 3].map((axis) => {
      const before = kernel!.shape[axis]! - 1 - padding[axis - 2]!;
      const spread = (gradient!.shape[axis]! - 1) * stride + 1;
      return { before, after: shapeOf(operation)[axis]! + kernel!.shape[axis]! - 1 - spread - before };
    });
    return convolve(emitter, [gradient!, flipped], shapeOf(operation), toImages, {
      before: [margins[0]!.before, margins[1]!.before],
      after: [margins[0]!.after, margins[1]!.after],
      pixelDistance: [stride, stride],
    });
  },
  // A convolution of the images with the gradients as kernels.
  conv2dWeightGradient: (emitter, [x, gradient], operation) => {
    const { stride, padding } = operation.attributes;
    const after = [2, 3].map((axis) => {
      const spread = (gradient!.shape[axis]! - 1) * stride;
      // Negative for rows and columns that the strided convolution does not reach.
      return shapeOf(operation)[axis]! + spread - x!.shape[axis]! - padding[axis - 2]!;
    });
    return convolve(emitter, [x!, gradient!], shapeOf(operation), toKernel, {
      before: [padding[0], padding[1]],
      after: [after[0]!, after[1]!],
      kernelDistance: [stride, stride],
    });
  },

  maxPool2d: (emitter, [x], operation) => {
    const windows = poolingWindows(operation.attributes);
    return reduceWindows(emitter, 'maximum', x!, { start: -Infinity, windows, shape: shapeOf(operation) });
  },
  maxPool2dGradient: (emitter, [x, gradient], { attributes }) => {
    const operands = [x!, gradient!, emitter.scalar(0)];
    const names = operands.map(({ name }) => name).join(', ');
    const types = `(${operands.map(typeOf).join(', ')}) -> ${typeOf(x!)}`;
    // Of equal pixels, the comparison keeps the first.
    const regions = `${isNotLess(emitter)}, ${emitter.combining('add', 'float32')}`;
    const text = `"stablehlo.select_and_scatter"(${names}) (${regions}) ${windowAttributes(poolingWindows(attributes))} : ${types}`;
    return emitter.value(text, x!.shape, 'float32');
  },

  reshape: (emitter, [x], operation) => emitter.reshape(x!, shapeOf(operation)),
  broadcast: (emitter, [x], operation) => emitter.broadcast(x!, shapeOf(operation)),
  upsample: (emitter, [x], { attributes: { factor } }) => repeatPixels(emitter, x!, factor),
  transpose: (emitter, [x], { attributes: { permutation } }) => emitter.transpose(x!, permutation),
  concat: (emitter, parts, { attributes: { axis } }) =>
    parts.some(({ sizes }) => sizes.has(axis))
      ? parts.reduce((joined, part) => emitter.append(joined, part, axis))
      : emitter.concatenate(parts, axis),
  slice: (emitter, [x], { attributes: { starts, ends } }) => emitter.slice(x!, starts, ends),
  pad: (emitter, [x], { attributes: { before, after } }) => emitter.pad(x!, before, after),

  sum: reduction('add', 0),
  max: reduction('maximum', -Infinity),
  argmax: (emitter, [x]) => {
    const axis = lastAxis(x!);
    const [smallest, keep] = [x!.dtype === 'int32' ? -(2 ** 31) : -Infinity, true];
    const inside = emitter.masked(x!, [axis], smallest);
    const largest = emitter.reduce('maximum', inside, [axis], { start: smallest, keep });
    const last = emitter.scalar(Math.max(x!.shape[axis]! - 1, 0), 'int32');
    // If there is a NaN, no element equals the maximum. The result is an index nevertheless.
    const at = emitter.select(emitter.compare('EQ', inside, largest), emitter.iota(x!.shape, axis), last);
    return emitter.reduce('minimum', at, [axis], { start: largestInt32, keep: false });
  },
  cumsum: (emitter, [x]) => {
    const axis = lastAxis(x!);
    const windows = {
      sizes: x!.shape.map((size, i) => (i === axis ? size : 1)),
      strides: x!.shape.map(() => 1),
      padding: x!.shape.map((size, i) => [i === axis ? Math.max(size - 1, 0) : 0, 0] as const),
    };
    return reduceWindows(emitter, 'add', x!, { start: 0, windows, shape: x!.shape });
  },
  softmax: (emitter, [x]) => {
    const inside = emitter.masked(x!, [lastAxis(x!)], -Infinity);
    const powers = emitter.unary('exponential', emitter.binary('subtract', inside, emitter.maxLast(inside)));
    return emitter.binary('divide', powers, emitter.sumLast(powers, true));
  },
  logSoftmax: (emitter, [x]) => logSoftmax(emitter, x!),
  // A sum over all classes instead of a lookup: classes may then be divided over devices.
  crossEntropy: (emitter, [logits, labels]) => {
    const isLabel = isAtIndex(emitter, labels!, logits!.shape.at(-1)!);
    const picked = emitter.select(isLabel, logSoftmax(emitter, logits!), emitter.scalar(0));
    return emitter.unary('negate', emitter.sumLast(picked, false));
  },
  normalize: (emitter, [x], { attributes: { epsilon } }) => normalize(emitter, x!, epsilon),
  groupNormalize: (emitter, [x, weight, bias], { outputs, attributes: { epsilon } }) => {
    const [values, scale] = normalize(emitter, emitter.reshape(x!, outputs[1]!.shape), epsilon);
    const perChannel = x!.shape.slice(1).map((size, i) => (i === 0 ? size : 1));
    const weighted = emitter.binary(
      'multiply',
      emitter.reshape(values, x!.shape),
      emitter.reshape(weight!, perChannel),
    );
    return [emitter.binary('add', weighted, emitter.reshape(bias!, perChannel)), values, scale];
  },
  sort: (emitter, [x], operation) => {
    const axis = lastAxis(x!);
    const indices = emitter.iota(x!.shape, axis);
    const [a, b, indexA, indexB, isBefore] = Array.from({ length: 5 }, () => emitter.fresh());
    const type = typeOf({ shape: [], dtype: x!.dtype });
    const order = x!.dtype === 'int32' ? 'SIGNED' : 'FLOAT';
    const region = `({ ^bb0(${a}: ${type}, ${b}: ${type}, ${indexA}: tensor<i32>, ${indexB}: tensor<i32>): ${isBefore} = stablehlo.compare GT, ${a}, ${b}, ${order} : (${type}, ${type}) -> tensor<i1> stablehlo.return ${isBefore} : tensor<i1> })`;
    const types = `(${typeOf(x!)}, ${typeOf(indices)})`;
    const sorted = emitter.values(
      [
        `"stablehlo.sort"(${x!.name}, ${indices.name}) ${region} {dimension = ${axis} : i64, is_stable = true} : ${types} -> ${types}`,
      ],
      [x!, indices],
    );
    const shape = shapeOf(operation);
    const starts = shape.map(() => 0);
    return shape[axis] === x!.shape[axis] ? sorted : sorted.map((value) => emitter.slice(value, starts, shape));
  },

  gather: (emitter, [table, indices], operation) => {
    const rank = indices!.shape.length;
    const row = table!.shape.slice(1);
    const offsets = row.map((_, axis) => rank + axis);
    const numbers = `offset_dims = ${listOf(offsets)}, collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = ${rank}`;
    return gather(emitter, [table!, indices!], shapeOf(operation), { numbers, block: [1, ...row] });
  },
  scatterAdd: (emitter, [indices, updates], operation) => {
    const numbers =
      'update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1';
    return emitter.scatterAdd(emitter.fill(shapeOf(operation), 0), indices!, updates!, numbers);
  },
  oneHot: (emitter, [indices], operation) =>
    emitter.convert(isAtIndex(emitter, indices!, shapeOf(operation).at(-1)!), 'float32'),
  takeAlong: (emitter, [x, indices], operation) => {
    const [batch, axis] = [listOf(leadingAxes(x!.shape)), lastAxis(x!)];
    const numbers = `collapsed_slice_dims = [${axis}], operand_batching_dims = ${batch}, start_indices_batching_dims = ${batch}, start_index_map = [${axis}], index_vector_dim = ${axis + 1}`;
    return gather(emitter, [x!, indices!], shapeOf(operation), { numbers, block: x!.shape.map(() => 1) });
  },
  scatterAlong: (emitter, [indices, updates], operation) => {
    const shape = shapeOf(operation);
    const [batch, axis] = [listOf(leadingAxes(shape)), lastAxis({ shape })];
    const numbers = `inserted_window_dims = [${axis}], input_batching_dims = ${batch}, scatter_indices_batching_dims = ${batch}, scatter_dims_to_operand_dims = [${axis}], index_vector_dim = ${axis + 1}`;
    return emitter.scatterAdd(emitter.fill(shape, 0), indices!, updates!, numbers);
  },
  update: (emitter, [x, block, position]) => emitter.updateAlong(x!, x!.shape.length - 2, block!, position!),
};
