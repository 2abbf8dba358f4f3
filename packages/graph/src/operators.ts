import { GraphError } from './graph-error.js';
import { isOperation, operation, operatorError } from './operation.js';
import { broadcastShapes, sameShape, sizeOf } from './shape.js';
import type { DType, Operation, OperatorName, Padding, PoolingWindow, Shape, Tensor, TensorData } from './tensor.js';
import { topologicalOrder } from './traversal.js';

/** A tensor, or a number: a scalar constant of the other operand's type. */
export type Operand = Tensor | number;

const only = (outputs: Tensor[]): Tensor => outputs[0]!;

// ---------------------------------------------------------------------------------------------------------------- sources

export interface InputOptions {
  /**
   * A dynamic axis: in each run it may have any size from 0 to the one in `shape`. Only operators whose result does not depend on its
   * size accept it: elementwise operators, matrix products, concatenation, reductions, slices that reach to its end, and reshapes that
   * keep it as an axis.
   */
  readonly dynamic?: number | undefined;
}

/** Adds an input, whose value the caller passes to each run. */
export function input(name: string, shape: Shape, dtype: DType = 'float32', { dynamic }: InputOptions = {}): Tensor {
  if (dynamic !== undefined && !(Number.isInteger(dynamic) && dynamic >= 0 && dynamic < shape.length))
    throw new GraphError(`Input ${name}: dynamic must be one of its axes, not ${dynamic}.`);
  return only(operation('input', [], dynamic === undefined ? { name } : { name, dynamic }, [{ shape, dtype }]));
}

/** Adds a constant. */
export function constant(value: TensorData): Tensor {
  if (value.data.length !== sizeOf(value.shape)) {
    throw operatorError(
      'constant',
      [],
      `the data must have ${sizeOf(value.shape)} elements for shape [${value.shape.join(', ')}], not ${value.data.length}`,
    );
  }
  return only(operation('constant', [], { value }, [{ shape: value.shape, dtype: value.dtype }]));
}

/** Adds a constant without axes. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  if (dtype === 'float32') return constant({ dtype, shape: [], data: Float32Array.of(value) });
  if (dtype === 'int32' && (value | 0) !== value)
    throw operatorError('constant', [], `the value must be a 32-bit integer, not ${value}`);
  if (dtype === 'int32') return constant({ dtype, shape: [], data: Int32Array.of(value) });
  return constant({ dtype, shape: [], data: Uint8Array.of(value ? 1 : 0) });
}

/** Returns a tensor whose elements all have the same value. */
export function fill(shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  return broadcastTo(scalar(value, dtype), shape);
}

/** Returns the integers 0, 1, …, length − 1: int32 `[length]`. */
export function range(length: number): Tensor {
  return constant({ dtype: 'int32', shape: [length], data: Int32Array.from({ length }, (_, i) => i) });
}

// ------------------------------------------------------------------------------------------------ elementwise, one operand

function unary(name: FloatUnary, x: Tensor): Tensor {
  requireFloat(name, x);
  return only(operation(name, [x], {}, [{ shape: x.shape, dtype: x.dtype }]));
}

type FloatUnary =
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'reciprocal'
  | 'abs'
  | 'sign'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'sigmoid'
  | 'relu'
  | 'gelu'
  | 'swish';

export const neg = (x: Tensor) => unary('neg', x);
export const exp = (x: Tensor) => unary('exp', x);
/** Computes the natural logarithm. */
export const log = (x: Tensor) => unary('log', x);
export const sqrt = (x: Tensor) => unary('sqrt', x);
export const reciprocal = (x: Tensor) => unary('reciprocal', x);
/** Computes the absolute value. Its gradient at 0 is 0. */
export const abs = (x: Tensor) => unary('abs', x);
/** Computes the sign: −1, 0 or 1. Its gradient is 0. */
export const sign = (x: Tensor) => unary('sign', x);
export const sin = (x: Tensor) => unary('sin', x);
export const cos = (x: Tensor) => unary('cos', x);
export const tanh = (x: Tensor) => unary('tanh', x);
/** Computes the error function. */
export const erf = (x: Tensor) => unary('erf', x);
export const sigmoid = (x: Tensor) => unary('sigmoid', x);
/** Computes the larger of x and 0. Its gradient at 0 is 0. */
export const relu = (x: Tensor) => unary('relu', x);
/** Computes the exact Gaussian error linear unit: x · Φ(x) (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor) => unary('gelu', x);
export const square = (x: Tensor) => mul(x, x);
/** Computes x · sigmoid(x), also called SiLU (Ramachandran et al. 2017). */
export const swish = (x: Tensor) => unary('swish', x);

export function logicalNot(x: Tensor): Tensor {
  if (x.dtype !== 'bool') throw operatorError('logicalNot', [x], 'the operand must be bool');
  return only(operation('logicalNot', [x], {}, [{ shape: x.shape, dtype: 'bool' }]));
}

/** Returns the same values, but passes no gradient. */
export function stopGradient(x: Tensor): Tensor {
  return only(operation('stopGradient', [x], {}, [{ shape: x.shape, dtype: x.dtype }]));
}

/** Converts the element type. Floats are truncated toward zero; false and true become 0 and 1; any other number than 0 becomes true. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : only(operation('cast', [x], { dtype }, [{ shape: x.shape, dtype }]));
}

// ------------------------------------------------------------------------------------------- elementwise, broadcasting

type Binary =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'maximum'
  | 'minimum'
  | 'equal'
  | 'less'
  | 'greater'
  | 'logicalAnd';

function binary(name: Binary, a: Operand, b: Operand, result?: DType): Tensor {
  const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32';
  const left = typeof a === 'number' ? scalar(a, dtype) : a;
  const right = typeof b === 'number' ? scalar(b, dtype) : b;
  if (left.dtype !== right.dtype)
    throw operatorError(name, [left, right], 'the operands must have the same element type');
  if ((name === 'logicalAnd') !== (dtype === 'bool')) {
    throw operatorError(
      name,
      [left, right],
      name === 'logicalAnd' ? 'the operands must be bool' : 'the operands must be numbers',
    );
  }
  const shape = broadcastShapes(left.shape, right.shape);
  if (!shape) throw operatorError(name, [left, right], 'the shapes cannot be broadcast together');
  return only(operation(name, [left, right], {}, [{ shape, dtype: result ?? dtype }]));
}

export const add = (a: Operand, b: Operand) => binary('add', a, b);
export const sub = (a: Operand, b: Operand) => binary('sub', a, b);
export const mul = (a: Operand, b: Operand) => binary('mul', a, b);
export const div = (a: Operand, b: Operand) => binary('div', a, b);
/**
 * Computes `a` to the power of `b`. The result is NaN if the base is negative and the exponent is not an integer.
 *
 * The gradients are those of PyTorch. By the base it is b · aᵇ⁻¹, and 0 if the exponent is 0. At base 0 it is 0 for b > 1, 1 for
 * b = 1, and infinite for other exponents. By the exponent it is aᵇ · log a, and 0 at base 0 for b ≥ 0. For a negative base it is NaN.
 */
export const pow = (a: Operand, b: Operand) => binary('pow', a, b);
/** Computes the elementwise maximum. If both are equal, the gradient goes to `a` (in PyTorch, half to each). */
export const maximum = (a: Operand, b: Operand) => binary('maximum', a, b);
/** Computes the elementwise minimum. If both are equal, the gradient goes to `a` (in PyTorch, half to each). */
export const minimum = (a: Operand, b: Operand) => binary('minimum', a, b);
export const equal = (a: Operand, b: Operand) => binary('equal', a, b, 'bool');
export const less = (a: Operand, b: Operand) => binary('less', a, b, 'bool');
export const greater = (a: Operand, b: Operand) => binary('greater', a, b, 'bool');
export const logicalAnd = (a: Tensor, b: Tensor) => binary('logicalAnd', a, b);

/** Selects elements of `a` where the condition is true, else of `b`. All three broadcast. The gradient goes to the selected element. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32';
  const left = typeof a === 'number' ? scalar(a, dtype) : a;
  const right = typeof b === 'number' ? scalar(b, dtype) : b;
  const operands = [condition, left, right];
  if (condition.dtype !== 'bool') throw operatorError('select', operands, 'the condition must be bool');
  if (left.dtype !== right.dtype) throw operatorError('select', operands, 'a and b must have the same element type');
  const choices = broadcastShapes(left.shape, right.shape);
  const shape = choices && broadcastShapes(condition.shape, choices);
  if (!shape) throw operatorError('select', operands, 'the shapes cannot be broadcast together');
  return only(operation('select', operands, {}, [{ shape, dtype }]));
}

// ------------------------------------------------------------------------------------------------------------- contractions

/**
 * Computes the matrix product over the last two axes; either operand can be transposed. `b` is a matrix, or has the batch axes of
 * `a`: `[…, m, k] · [k, n]` or `[…, m, k] · […, k, n]` is `[…, m, n]`. An `exact` product is computed in float32 also where a runtime
 * rounds the operands of others to fewer bits.
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  options: { transposeA?: boolean; transposeB?: boolean; exact?: boolean } = {},
): Tensor {
  const { transposeA = false, transposeB = false, exact = false } = options;
  const fail = (problem: string) => operatorError('matmul', [a, b], problem);
  if (a.dtype !== 'float32' || b.dtype !== 'float32') throw fail('the operands must be float32');
  if (a.shape.length < 2 || b.shape.length < 2) throw fail('each operand must have at least two axes');
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number];
  const [m, kA] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [kB, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  if (kA !== kB) {
    const reading = transposeA || transposeB ? ` (transposeA ${transposeA}, transposeB ${transposeB})` : '';
    throw fail(`the inner sizes ${kA} and ${kB} differ${reading}`);
  }
  const batch = a.shape.slice(0, -2);
  if (b.shape.length > 2 && !sameShape(batch, b.shape.slice(0, -2))) throw fail('the batch axes differ');
  return only(
    operation('matmul', [a, b], { transposeA, transposeB, ...(exact && { exact }) }, [
      { shape: [...batch, m, n], dtype: 'float32' },
    ]),
  );
}

export interface ConvolutionOptions {
  /** Bias of each output channel, `[out]`. Default: no bias. */
  readonly bias?: Tensor | undefined;
  readonly stride?: number | undefined;
  readonly padding?: number | Padding | undefined;
}

/**
 * Convolves (cross-correlates) images `[batch, in, height, width]` with a kernel `[out, in, rows, columns]`.
 * The result is `[batch, out, ⌊(height + padding − rows) / stride⌋ + 1, …]`.
 */
export function conv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions = {}): Tensor {
  const stride = options.stride ?? 1;
  const padding = asPadding(options.padding ?? 0);
  const operands = options.bias ? [x, kernel, options.bias] : [x, kernel];
  const fail = (problem: string) => operatorError('conv2d', operands, problem);
  requireFloat('conv2d', ...operands);
  if (!(Number.isInteger(stride) && stride > 0)) throw fail(`the stride must be a positive integer, not ${stride}`);
  if (!padding.every((size) => Number.isInteger(size) && size >= 0))
    throw fail(`the padding must consist of non-negative integers, not [${padding.join(', ')}]`);
  if (x.shape.length !== 4 || kernel.shape.length !== 4) {
    throw fail('the image must be [batch, channels, height, width] and the kernel [out, in, rows, columns]');
  }
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [out, inChannels, rows, columns] = kernel.shape as [number, number, number, number];
  if (channels !== inChannels)
    throw fail(`the image must have ${inChannels} channels as the kernel does, not ${channels}`);
  if (options.bias && !sameShape(options.bias.shape, [out])) throw fail(`the bias must be [${out}]`);
  const [outHeight, outWidth] = convolvedSize([height, width], [rows, columns], stride, padding);
  if (!(outHeight >= 1 && outWidth >= 1)) throw fail('the kernel is larger than the padded image');
  const shape = [batch, out, outHeight, outWidth];
  return only(operation('conv2d', operands, { stride, padding }, [{ shape, dtype: 'float32' }]));
}

/**
 * Repeats the pixels of images `[batch, in, height, width]` `factor` times along rows and columns, and convolves the result with a
 * kernel `[out, in, rows, columns]` of odd sizes, padded to keep the size: `[batch, out, height · factor, width · factor]`.
 */
export function upsampleConv2d(
  x: Tensor,
  kernel: Tensor,
  { factor, bias }: { readonly factor: number; readonly bias?: Tensor },
): Tensor {
  const operands = bias ? [x, kernel, bias] : [x, kernel];
  const [, , rows = 0, columns = 0] = kernel.shape;
  if (rows % 2 !== 1 || columns % 2 !== 1)
    throw operatorError('upsampleConv2d', operands, 'the kernel must be [out, in, rows, columns] of odd sizes');
  const [vertical, horizontal] = [(rows - 1) / 2, (columns - 1) / 2];
  const padding: Padding = [vertical, horizontal, vertical, horizontal];
  const { shape } = conv2d(upsample(x, factor), kernel, { bias, padding });
  return only(operation('upsampleConv2d', operands, { factor, padding }, [{ shape, dtype: 'float32' }]));
}

/** Computes the gradient of `conv2d` by its image from the gradient of its result. */
export function conv2dInputGradient(
  gradient: Tensor,
  kernel: Tensor,
  inputShape: Shape,
  attributes: { stride: number; padding: Padding },
): Tensor {
  requireConvolution('conv2dInputGradient', [gradient, kernel], [inputShape, kernel.shape, gradient.shape], attributes);
  return only(
    operation('conv2dInputGradient', [gradient, kernel], attributes, [{ shape: inputShape, dtype: 'float32' }]),
  );
}

/** Computes the gradient of `conv2d` by its kernel from the gradient of its result. */
export function conv2dWeightGradient(
  x: Tensor,
  gradient: Tensor,
  kernelShape: Shape,
  attributes: { stride: number; padding: Padding },
): Tensor {
  requireConvolution('conv2dWeightGradient', [x, gradient], [x.shape, kernelShape, gradient.shape], attributes);
  return only(operation('conv2dWeightGradient', [x, gradient], attributes, [{ shape: kernelShape, dtype: 'float32' }]));
}

/** Checks that a convolution of the first shape with a kernel of the second shape gives the third shape. */
function requireConvolution(
  name: OperatorName,
  operands: readonly Tensor[],
  [image, kernel, result]: readonly [Shape, Shape, Shape],
  attributes: { stride: number; padding: Padding },
): void {
  requireFloat(name, ...operands);
  const convolved = conv2d(input('image', image), input('kernel', kernel), attributes).shape;
  if (!sameShape(convolved, result)) {
    throw operatorError(
      name,
      operands,
      `images [${image.join(', ')}] and kernels [${kernel.join(', ')}] give [${convolved.join(', ')}], not [${result.join(', ')}]`,
    );
  }
}

export interface PoolingOptions {
  /** Rows and columns of a window. */
  readonly size: number;
  /** Distance of adjacent windows. Default: `size`. */
  readonly stride?: number | undefined;
  /** Pixels around the images that are never the maximum, fewer than `size` on each side. Default 0. */
  readonly padding?: number | Padding | undefined;
}

/**
 * Computes the maximum over square windows of images `[batch, channels, height, width]`. The result is
 * `[batch, channels, ⌊(height + padding − size) / stride⌋ + 1, …]`. The gradient goes to the maximum of each window, of equal
 * pixels to the first in row-major order, as in PyTorch. It has no second derivative.
 */
export function maxPool2d(x: Tensor, options: PoolingOptions): Tensor {
  const { size, stride = size, padding = 0 } = options;
  const attributes = { size, stride, padding: asPadding(padding) };
  return only(
    operation('maxPool2d', [x], attributes, [{ shape: pooledShape('maxPool2d', x, attributes), dtype: 'float32' }]),
  );
}

/** Computes the gradient of `maxPool2d` from its operand and the gradient of its result. */
export function maxPool2dGradient(x: Tensor, gradient: Tensor, attributes: PoolingWindow): Tensor {
  const operands = [x, gradient];
  requireFloat('maxPool2dGradient', ...operands);
  const pooled = pooledShape('maxPool2dGradient', x, attributes);
  if (!sameShape(pooled, gradient.shape))
    throw operatorError('maxPool2dGradient', operands, `the gradient must be [${pooled.join(', ')}]`);
  return only(operation('maxPool2dGradient', operands, attributes, [{ shape: x.shape, dtype: 'float32' }]));
}

function pooledShape(name: OperatorName, x: Tensor, { size, stride, padding }: PoolingWindow): Shape {
  const fail = (problem: string) => operatorError(name, [x], problem);
  requireFloat(name, x);
  if (x.shape.length !== 4) throw fail('the images must be [batch, channels, height, width]');
  if (!(Number.isInteger(size) && size > 0)) throw fail(`the size must be a positive integer, not ${size}`);
  if (!(Number.isInteger(stride) && stride > 0)) throw fail(`the stride must be a positive integer, not ${stride}`);
  // More padding would make windows without a pixel.
  if (!padding.every((width) => Number.isInteger(width) && width >= 0 && width < size))
    throw fail(`the padding must consist of integers from 0 to ${size - 1}, not [${padding.join(', ')}]`);
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [outHeight, outWidth] = convolvedSize([height, width], [size, size], stride, padding);
  if (!(outHeight >= 1 && outWidth >= 1)) throw fail(`windows of size ${size} are larger than the padded images`);
  return [batch, channels, outHeight, outWidth];
}

function asPadding(padding: number | Padding): Padding {
  return typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
}

function convolvedSize(
  size: [number, number],
  kernel: [number, number],
  stride: number,
  padding: Padding,
): [number, number] {
  const [top, left, bottom, right] = padding;
  return [
    Math.floor((size[0] + top + bottom - kernel[0]) / stride) + 1,
    Math.floor((size[1] + left + right - kernel[1]) / stride) + 1,
  ];
}

// ------------------------------------------------------------------------------------------------------------------- shapes

/** Changes the shape; the elements and their order stay. One size may be −1: it follows from the others. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const full = shape.map((size) => (size === -1 ? sizeOf(x.shape) / known : size));
  if (sizeOf(full) !== sizeOf(x.shape) || !full.every(Number.isInteger)) {
    throw operatorError('reshape', [x], `${sizeOf(x.shape)} elements do not fit into shape [${shape.join(', ')}]`);
  }
  // Of consecutive reshapes only the last matters.
  const source = isOperation(x.operation, 'reshape') ? x.operation.inputs[0]! : x;
  return sameShape(full, source.shape)
    ? source
    : only(operation('reshape', [source], {}, [{ shape: full, dtype: x.dtype }]));
}

/** Broadcasts to a shape: repeats axes of size 1 and adds axes in front. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const reached = broadcastShapes(x.shape, shape);
  if (!reached || !sameShape(reached, shape))
    throw operatorError('broadcast', [x], `the operand cannot be broadcast to [${shape.join(', ')}]`);
  return only(operation('broadcast', [x], {}, [{ shape, dtype: x.dtype }]));
}

/** Repeats each pixel of images `[batch, channels, height, width]` `factor` times along rows and columns (nearest neighbor). */
export function upsample(x: Tensor, factor: number): Tensor {
  if (x.shape.length !== 4 || x.dtype !== 'float32')
    throw operatorError('upsample', [x], 'the images must be float32[batch, channels, height, width]');
  if (!Number.isSafeInteger(factor) || factor < 1)
    throw operatorError('upsample', [x], `the factor must be a whole number of at least 1, not ${factor}`);
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const shape = [batch, channels, height * factor, width * factor];
  return factor === 1 ? x : only(operation('upsample', [x], { factor }, [{ shape, dtype: x.dtype }]));
}

/** Reorders the axes: axis i of the result is axis `permutation[i]` of the operand. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  const sorted = [...permutation].sort((a, b) => a - b);
  if (permutation.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
    throw operatorError('transpose', [x], `[${permutation.join(', ')}] is not a permutation of the axes`);
  }
  if (permutation.every((axis, i) => axis === i)) return x;
  const shape = permutation.map((axis) => x.shape[axis]!);
  // If only axes of size 1 move, the order of the elements does not change.
  const moved = permutation.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis)) return reshape(x, shape);
  return only(operation('transpose', [x], { permutation }, [{ shape, dtype: x.dtype }]));
}

/** Concatenates tensors along an axis. Their other sizes must be equal. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0];
  if (!first) throw operatorError('concat', [], 'the list must contain at least one tensor');
  const along = normalizeAxis('concat', first, axis);
  for (const tensor of tensors) {
    const fits =
      tensor.dtype === first.dtype &&
      tensor.shape.length === first.shape.length &&
      tensor.shape.every((size, i) => i === along || size === first.shape[i]);
    if (!fits)
      throw operatorError('concat', tensors, `the types must be equal, and the sizes on every axis except ${along}`);
  }
  if (tensors.length === 1) return first;
  const shape = first.shape.map((size, i) =>
    i === along ? tensors.reduce((sum, tensor) => sum + tensor.shape[along]!, 0) : size,
  );
  return only(operation('concat', tensors, { axis: along }, [{ shape, dtype: first.dtype }]));
}

/** Returns the block from `starts` (inclusive) to `ends` (exclusive), one number per axis. */
export function slice(x: Tensor, starts: Shape, ends: Shape): Tensor {
  const fits = (i: number) => 0 <= starts[i]! && starts[i]! <= ends[i]! && ends[i]! <= x.shape[i]!;
  const whole = [...starts, ...ends].every(Number.isInteger);
  if (
    !whole ||
    starts.length !== x.shape.length ||
    ends.length !== x.shape.length ||
    !x.shape.every((_, i) => fits(i))
  ) {
    throw operatorError('slice', [x], `[${starts.join(', ')}] to [${ends.join(', ')}] is not a block of the operand`);
  }
  const shape = starts.map((start, i) => ends[i]! - start);
  return sameShape(shape, x.shape) ? x : only(operation('slice', [x], { starts, ends }, [{ shape, dtype: x.dtype }]));
}

/** Returns the block from `start` (inclusive) to `end` (exclusive) along one axis. */
export function sliceAxis(x: Tensor, axis: number, start: number, end: number): Tensor {
  const along = normalizeAxis('slice', x, axis);
  const starts = x.shape.map((_, i) => (i === along ? start : 0));
  const ends = x.shape.map((size, i) => (i === along ? end : size));
  return slice(x, starts, ends);
}

/** Splits a tensor along an axis into equal parts. */
export function split(x: Tensor, parts: number, axis: number): Tensor[] {
  const along = normalizeAxis('slice', x, axis);
  const size = x.shape[along]! / parts;
  if (!Number.isInteger(size))
    throw operatorError(
      'slice',
      [x],
      `the size of axis ${along} must be a multiple of ${parts}, to split it into equal parts`,
    );
  return Array.from({ length: parts }, (_, i) => sliceAxis(x, along, i * size, (i + 1) * size));
}

/** Pads with zeros: `before` and `after` have one number per axis. */
export function pad(x: Tensor, before: Shape, after: Shape): Tensor {
  if (
    before.length !== x.shape.length ||
    after.length !== x.shape.length ||
    ![...before, ...after].every((size) => Number.isInteger(size) && size >= 0)
  ) {
    throw operatorError(
      'pad',
      [x],
      `[${before.join(', ')}] and [${after.join(', ')}] must have one non-negative integer per axis`,
    );
  }
  const shape = x.shape.map((size, i) => before[i]! + size + after[i]!);
  return sameShape(shape, x.shape) ? x : only(operation('pad', [x], { before, after }, [{ shape, dtype: x.dtype }]));
}

// ----------------------------------------------------------------------------------------------------- reductions and scans

type ReductionOptions = { axes?: readonly number[]; keepDims?: boolean };

function reduction(name: 'sum' | 'max', x: Tensor, options: ReductionOptions): Tensor {
  requireFloat(name, x);
  const axes = (options.axes ?? x.shape.map((_, i) => i))
    .map((axis) => normalizeAxis(name, x, axis))
    .sort((a, b) => a - b);
  if (new Set(axes).size < axes.length)
    throw operatorError(name, [x], `the axes must be different, not [${axes.join(', ')}]`);
  if (axes.length === 0) return x;
  const keepDims = options.keepDims ?? false;
  const shape = x.shape.map((size, i) => (axes.includes(i) ? 1 : size)).filter((_, i) => keepDims || !axes.includes(i));
  return only(operation(name, [x], { axes, keepDims }, [{ shape, dtype: x.dtype }]));
}

/** Computes the sum over the given axes, by default all. */
export const sum = (x: Tensor, options: ReductionOptions = {}) => reduction('sum', x, options);
/**
 * Computes the maximum over the given axes, by default all. Every element that equals the maximum gets the whole gradient (PyTorch's
 * `amax` divides it among them).
 */
export const max = (x: Tensor, options: ReductionOptions = {}) => reduction('max', x, options);

/** Computes the mean over the given axes, by default all. */
export function mean(x: Tensor, options: ReductionOptions = {}): Tensor {
  const total = sum(x, options);
  return mul(total, sizeOf(total.shape) / sizeOf(x.shape));
}

/** Returns the index of the largest element along the last axis, int32; of equal elements the first. It has no gradient. */
export function argmax(x: Tensor): Tensor {
  requireAxis('argmax', x);
  requireNumbers('argmax', x);
  return only(operation('argmax', [x], {}, [{ shape: x.shape.slice(0, -1), dtype: 'int32' }]));
}

/** Computes the inclusive cumulative sum along the last axis. */
export function cumsum(x: Tensor): Tensor {
  requireAxis('cumsum', x);
  requireNumbers('cumsum', x);
  return only(operation('cumsum', [x], {}, [{ shape: x.shape, dtype: x.dtype }]));
}

/** Computes exp(x) / Σ exp(x) over the last axis. */
export function softmax(x: Tensor): Tensor {
  requireAxis('softmax', x);
  requireFloat('softmax', x);
  return only(operation('softmax', [x], {}, [{ shape: x.shape, dtype: 'float32' }]));
}

/** Computes x − log Σ exp(x) over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  requireAxis('logSoftmax', x);
  requireFloat('logSoftmax', x);
  return only(operation('logSoftmax', [x], {}, [{ shape: x.shape, dtype: 'float32' }]));
}

/** Computes −log softmax(logits)[label], in nats: logits `[…, classes]`, int32 labels `[…]`, result `[…]`. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  requireAxis('crossEntropy', logits);
  requireFloat('crossEntropy', logits);
  if (labels.dtype !== 'int32' || !sameShape(labels.shape, logits.shape.slice(0, -1))) {
    throw operatorError(
      'crossEntropy',
      [logits, labels],
      'the labels must be int32, with the axes of the logits except the last',
    );
  }
  return only(operation('crossEntropy', [logits, labels], {}, [{ shape: labels.shape, dtype: 'float32' }]));
}

/** Computes (x − mean) / √(variance + epsilon) over the last axis: layer normalization without scale and bias (Ba et al. 2016). */
export function normalize(x: Tensor, epsilon: number): Tensor {
  requireAxis('normalize', x);
  requireFloat('normalize', x);
  const statistics = { shape: [...x.shape.slice(0, -1), 1], dtype: 'float32' } as const;
  // The gradient needs the second output, 1 / √(variance + epsilon).
  return only(operation('normalize', [x], { epsilon }, [{ shape: x.shape, dtype: 'float32' }, statistics]));
}

/**
 * Applies group normalization (Wu and He 2018) to `[batch, channels, …]`: (x − mean) / √(variance + epsilon) over each group of
 * adjacent channels, times `weight`, plus `bias`, `[channels]` each.
 */
export function groupNormalize(x: Tensor, weight: Tensor, bias: Tensor, groups: number, epsilon: number): Tensor {
  const operands = [x, weight, bias];
  const [batch, channels] = x.shape;
  requireFloat('groupNormalize', ...operands);
  if (
    batch === undefined ||
    channels === undefined ||
    !Number.isInteger(groups) ||
    groups < 1 ||
    channels % groups !== 0
  )
    throw operatorError(
      'groupNormalize',
      operands,
      `the number of channels must be a multiple of the ${groups} groups`,
    );
  if (!sameShape(weight.shape, [channels]) || !sameShape(bias.shape, [channels]))
    throw operatorError('groupNormalize', operands, `the weight and the bias must have the shape [${channels}]`);
  const grouped = [batch, groups, sizeOf(x.shape) / (batch * groups)];
  return only(
    operation('groupNormalize', operands, { groups, epsilon }, [
      { shape: x.shape, dtype: 'float32' },
      // The gradient needs (x − mean) / √(variance + epsilon) and 1 / √(variance + epsilon).
      { shape: grouped, dtype: 'float32' },
      { shape: [batch, groups, 1], dtype: 'float32' },
    ]),
  );
}

/**
 * Sorts along the last axis in descending order, and returns the `count` largest elements (default all) with their indices (int32).
 * The sort is stable. The gradient of a value goes to the element at its index.
 */
export function sort(x: Tensor, count: number = x.shape.at(-1) ?? 0): { values: Tensor; indices: Tensor } {
  requireAxis('sort', x);
  requireNumbers('sort', x);
  if (!(Number.isInteger(count) && count >= 1 && count <= x.shape.at(-1)!))
    throw operatorError('sort', [x], `count must be a whole number from 1 to the size of the last axis, not ${count}`);
  const shape = [...x.shape.slice(0, -1), count];
  const [values, indices] = operation('sort', [x], {}, [
    { shape, dtype: x.dtype },
    { shape, dtype: 'int32' },
  ]);
  return { values: values!, indices: indices! };
}

// ----------------------------------------------------------------------------------------------------------------- indexing

/** Looks up rows of a table `[rows, …]` by int32 indices `[…i]`: `[…i, …]`. Indices must be in `[0, rows)`. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  if (indices.dtype !== 'int32') throw operatorError('gather', [table, indices], 'the indices must be int32');
  requireAxis('gather', table);
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return only(operation('gather', [table, indices], {}, [{ shape, dtype: table.dtype }]));
}

/** Adds rows `[n, width]` to a table `[rows, width]` of zeros, each at its index (int32 `[n]`): the gradient of `gather`. */
export function scatterAdd(indices: Tensor, updates: Tensor, rows: number): Tensor {
  const operands = [indices, updates];
  if (indices.dtype !== 'int32') throw operatorError('scatterAdd', operands, 'the indices must be int32');
  requireFloat('scatterAdd', updates);
  if (updates.shape.length !== 2 || !sameShape(indices.shape, updates.shape.slice(0, 1))) {
    throw operatorError('scatterAdd', operands, 'the indices must be [n] and the updates [n, width]');
  }
  return only(operation('scatterAdd', operands, {}, [{ shape: [rows, updates.shape[1]!], dtype: 'float32' }]));
}

/** Returns one-hot vectors of size `depth` for int32 indices `[…]`: float32 `[…, depth]`. */
export function oneHot(indices: Tensor, depth: number): Tensor {
  if (indices.dtype !== 'int32') throw operatorError('oneHot', [indices], 'the indices must be int32');
  return only(operation('oneHot', [indices], {}, [{ shape: [...indices.shape, depth], dtype: 'float32' }]));
}

/** Takes elements along the last axis: `[…, n]` and int32 indices `[…, m]` give `[…, m]`. */
export function takeAlong(x: Tensor, indices: Tensor): Tensor {
  requireAxis('takeAlong', x);
  requireLike('takeAlong', x, indices);
  return only(operation('takeAlong', [x, indices], {}, [{ shape: indices.shape, dtype: x.dtype }]));
}

/** Adds updates `[…, m]` to a tensor `[…, width]` of zeros, at their indices along the last axis. */
export function scatterAlong(indices: Tensor, updates: Tensor, width: number): Tensor {
  requireAxis('scatterAlong', updates);
  requireFloat('scatterAlong', updates);
  requireLike('scatterAlong', updates, indices);
  return only(
    operation('scatterAlong', [indices, updates], {}, [
      { shape: [...updates.shape.slice(0, -1), width], dtype: 'float32' },
    ]),
  );
}

/** Writes a block `[…, 1, width]` into `x` at a position (int32 scalar) along the second to last axis, as for a step of a KV cache. */
export function update(x: Tensor, block: Tensor, position: Tensor): Tensor {
  const operands = [x, block, position];
  const expected = x.shape.map((size, i) => (i === x.shape.length - 2 ? 1 : size));
  if (x.shape.length < 2) throw operatorError('update', operands, 'the first operand must have at least two axes');
  if (block.dtype !== x.dtype || !sameShape(block.shape, expected)) {
    throw operatorError('update', operands, `the block must be ${x.dtype}[${expected.join(', ')}]`);
  }
  if (position.dtype !== 'int32' || position.shape.length > 0)
    throw operatorError('update', operands, 'the position must be an int32 scalar');
  return only(operation('update', operands, {}, [{ shape: x.shape, dtype: x.dtype }]));
}

function requireFloat(name: OperatorName, ...operands: Tensor[]): void {
  if (operands.some(({ dtype }) => dtype !== 'float32'))
    throw operatorError(
      name,
      operands,
      operands.length > 1 ? 'the operands must be float32' : 'the operand must be float32',
    );
}

function requireNumbers(name: OperatorName, x: Tensor): void {
  if (x.dtype === 'bool') throw operatorError(name, [x], 'the operand must not be bool');
}

function requireAxis(name: OperatorName, x: Tensor): void {
  if (x.shape.length === 0) throw operatorError(name, [x], 'the operand must have at least one axis');
}

function requireLike(name: OperatorName, x: Tensor, indices: Tensor): void {
  if (
    indices.dtype !== 'int32' ||
    !sameShape(x.shape.slice(0, -1), indices.shape.slice(0, -1)) ||
    x.shape.length !== indices.shape.length
  ) {
    throw operatorError(name, [x, indices], 'the indices must be int32, with the axes of the operand except the last');
  }
}

function normalizeAxis(name: OperatorName, x: Tensor, axis: number): number {
  const positive = axis < 0 ? axis + x.shape.length : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= x.shape.length)
    throw operatorError(name, [x], `the operand has no axis ${axis}`);
  return positive;
}

// ------------------------------------------------------------------------------------------------------------- control flow

export interface LoopResult {
  /** The carried tensors after the last iteration. */
  readonly carried: Tensor[];
  /** The stacked outputs of all iterations. Their first axis is the iteration. */
  readonly stacked: Tensor[];
}

/**
 * Runs a body a fixed number of times. The body gets the iteration (int32 scalar) and the carried tensors. It returns the next values
 * of the carried tensors, of the same shapes, and tensors to stack. Operations that depend neither on the iteration nor on a carried
 * tensor run once, outside the loop.
 */
export function loop(
  count: number,
  initial: readonly Tensor[],
  body: (iteration: Tensor, carried: readonly Tensor[]) => { carried: readonly Tensor[]; stacked?: readonly Tensor[] },
): LoopResult {
  return loopOperation(count, initial, body);
}

/**
 * Runs a body while a condition holds, at most `limit` times. The first of the carried tensors is the condition, a bool scalar: an
 * iteration runs only if it is true. Returns the carried tensors after the last iteration, the initial ones if there was none. Only
 * operations that depend on a carried tensor depend on the condition; others run once, before it is known.
 */
export function whileLoop(
  limit: number,
  initial: readonly Tensor[],
  body: (carried: readonly Tensor[]) => readonly Tensor[],
): Tensor[] {
  const condition = initial[0];
  if (condition?.dtype !== 'bool' || condition.shape.length > 0)
    throw operatorError('loop', initial, 'the first carried tensor of a while loop must be a bool scalar');
  return loopOperation(limit, initial, (_, carried) => ({ carried: body(carried) }), 0).carried;
}

function loopOperation(
  count: number,
  initial: readonly Tensor[],
  body: (iteration: Tensor, carried: readonly Tensor[]) => { carried: readonly Tensor[]; stacked?: readonly Tensor[] },
  proceeds?: number,
): LoopResult {
  if (!(Number.isSafeInteger(count) && count >= 0))
    throw operatorError('loop', initial, `count must be a whole number of at least 0, not ${count}`);
  const iteration = input('iteration', [], 'int32');
  const carried = initial.map((tensor, i) => input(`carried.${i}`, tensor.shape, tensor.dtype));
  const result = body(iteration, carried);
  const next = result.carried;
  const stacked = result.stacked ?? [];
  if (next.length !== initial.length)
    throw operatorError('loop', initial, `the body must return ${initial.length} carried tensors, not ${next.length}`);
  for (const [i, tensor] of next.entries()) {
    if (tensor.dtype !== initial[i]!.dtype || !sameShape(tensor.shape, initial[i]!.shape)) {
      throw operatorError('loop', [initial[i]!, tensor], `carried tensor ${i} must keep its type and shape`);
    }
  }
  const captured = capturedBy([...next, ...stacked], [iteration, ...carried]);
  const outputs = operation('loop', [...initial, ...captured], { count, iteration, carried, next, stacked, proceeds }, [
    ...initial.map(({ shape, dtype }) => ({ shape, dtype })),
    ...stacked.map(({ shape, dtype }) => ({ shape: [count, ...shape], dtype })),
  ]);
  return { carried: outputs.slice(0, initial.length), stacked: outputs.slice(initial.length) };
}

/** Returns the operations of a loop's body, in topological order: those that depend on the iteration or on a carried tensor. */
function bodyOperations(results: readonly Tensor[], arguments_: readonly Tensor[]) {
  const inside = new Set(arguments_.map((tensor) => tensor.operation));
  const body = topologicalOrder(results).filter((node) => {
    if (inside.has(node)) return false;
    if (!node.inputs.some((tensor) => inside.has(tensor.operation))) return false;
    inside.add(node);
    return true;
  });
  return { body, inside };
}

/** Returns a loop's body: its arguments, its operations in topological order, and its results. */
export function loopBody({ attributes: { iteration, carried, next, stacked } }: Operation<'loop'>) {
  const arguments_ = [iteration, ...carried];
  const results = [...next, ...stacked];
  return { arguments_, operations: bodyOperations(results, arguments_).body, results };
}

function capturedBy(results: readonly Tensor[], arguments_: readonly Tensor[]): Tensor[] {
  const { body, inside } = bodyOperations(results, arguments_);
  const captured = new Set<Tensor>();
  const capture = (tensor: Tensor) => {
    if (!inside.has(tensor.operation)) captured.add(tensor);
  };
  for (const node of body) node.inputs.forEach(capture);
  results.forEach(capture);
  return [...captured];
}
