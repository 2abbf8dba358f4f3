import { GraphError } from './graph-error.js';
import { isOperation, operation, operatorError } from './operation.js';
import { broadcastShapes, sameShape, sizeOf } from './shape.js';
import type { DType, Operation, OperatorName, Padding, Shape, Tensor, TensorData } from './tensor.js';
import { topologicalOrder } from './traversal.js';

/** A tensor, or a number that stands for a constant of the other operand's type. */
export type Operand = Tensor | number;

const only = (outputs: Tensor[]): Tensor => outputs[0]!;

// ---------------------------------------------------------------------------------------------------------------- sources

export interface InputOptions {
  /**
   * An axis along which a run may give less than the shape says, down to nothing. What is computed from it must not need that axis's
   * length: it may be multiplied along, joined with others, reduced, cut by a slice that reaches to its end, and reshaped as long as it
   * stays an axis.
   */
  readonly dynamic?: number | undefined;
}

/** A value that the caller gives at each run. */
export function input(name: string, shape: Shape, dtype: DType = 'float32', { dynamic }: InputOptions = {}): Tensor {
  if (dynamic !== undefined && !(Number.isInteger(dynamic) && dynamic >= 0 && dynamic < shape.length))
    throw new GraphError(`input ${name}: dynamic must be one of its axes, not ${dynamic}.`);
  return only(operation('input', [], dynamic === undefined ? { name } : { name, dynamic }, [{ shape, dtype }]));
}

/** A value that is part of the graph. */
export function constant(value: TensorData): Tensor {
  if (value.data.length !== sizeOf(value.shape)) {
    throw operatorError(
      'constant',
      [],
      `shape [${value.shape.join(', ')}] does not hold ${value.data.length} elements`,
    );
  }
  return only(operation('constant', [], { value }, [{ shape: value.shape, dtype: value.dtype }]));
}

/** A constant without axes. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  if (dtype === 'float32') return constant({ dtype, shape: [], data: Float32Array.of(value) });
  if (dtype === 'int32' && (value | 0) !== value) throw operatorError('constant', [], `${value} is no 32-bit integer`);
  if (dtype === 'int32') return constant({ dtype, shape: [], data: Int32Array.of(value) });
  return constant({ dtype, shape: [], data: Uint8Array.of(value ? 1 : 0) });
}

/** A tensor of one value everywhere. */
export function fill(shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  return broadcastTo(scalar(value, dtype), shape);
}

/** The integers 0, 1, … length − 1: int32 `[length]`. */
export function range(length: number): Tensor {
  return constant({ dtype: 'int32', shape: [length], data: Int32Array.from({ length }, (_, i) => i) });
}

// ------------------------------------------------------------------------------------------------ element by element, one operand

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
/** The natural logarithm. */
export const log = (x: Tensor) => unary('log', x);
export const sqrt = (x: Tensor) => unary('sqrt', x);
export const reciprocal = (x: Tensor) => unary('reciprocal', x);
/** The absolute value. Its gradient at 0 is 0. */
export const abs = (x: Tensor) => unary('abs', x);
/** −1, 0 or 1. Its gradient is 0. */
export const sign = (x: Tensor) => unary('sign', x);
export const sin = (x: Tensor) => unary('sin', x);
export const cos = (x: Tensor) => unary('cos', x);
export const tanh = (x: Tensor) => unary('tanh', x);
/** The error function. */
export const erf = (x: Tensor) => unary('erf', x);
export const sigmoid = (x: Tensor) => unary('sigmoid', x);
/** The larger of x and 0. Its gradient at 0 is 0. */
export const relu = (x: Tensor) => unary('relu', x);
/** Gaussian error linear unit, exact: x · Φ(x) (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor) => unary('gelu', x);
export const square = (x: Tensor) => mul(x, x);
/** x · sigmoid(x), also called SiLU (Ramachandran et al. 2017). */
export const swish = (x: Tensor) => unary('swish', x);

export function logicalNot(x: Tensor): Tensor {
  if (x.dtype !== 'bool') throw operatorError('logicalNot', [x], 'the operand must be bool');
  return only(operation('logicalNot', [x], {}, [{ shape: x.shape, dtype: 'bool' }]));
}

/** The same values, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  return only(operation('stopGradient', [x], {}, [{ shape: x.shape, dtype: x.dtype }]));
}

/** Converts the element type: floats are cut toward zero, booleans are 0 and 1, and what is not 0 is true. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : only(operation('cast', [x], { dtype }, [{ shape: x.shape, dtype }]));
}

// ------------------------------------------------------------------------------------------- element by element, broadcasting

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
  if (left.dtype !== right.dtype) throw operatorError(name, [left, right], 'the operands must have one element type');
  if ((name === 'logicalAnd') !== (dtype === 'bool')) {
    throw operatorError(
      name,
      [left, right],
      name === 'logicalAnd' ? 'the operands must be bool' : 'the operands must be numbers',
    );
  }
  const shape = broadcastShapes(left.shape, right.shape);
  if (!shape) throw operatorError(name, [left, right], 'the shapes do not broadcast to one');
  return only(operation(name, [left, right], {}, [{ shape, dtype: result ?? dtype }]));
}

export const add = (a: Operand, b: Operand) => binary('add', a, b);
export const sub = (a: Operand, b: Operand) => binary('sub', a, b);
export const mul = (a: Operand, b: Operand) => binary('mul', a, b);
export const div = (a: Operand, b: Operand) => binary('div', a, b);
/**
 * `a` to the power of `b`: NaN for a negative base with an exponent that is not an integer.
 *
 * The gradients are those of PyTorch. By the base it is b · aᵇ⁻¹, and 0 where the exponent is 0: at base 0 it is 0 for b > 1, 1 for
 * b = 1, and infinite for other exponents. By the exponent it is aᵇ · log a, and 0 at base 0 for b ≥ 0; for a negative base it is NaN.
 */
export const pow = (a: Operand, b: Operand) => binary('pow', a, b);
/** The larger of both. Where they are equal, the gradient goes to `a` (PyTorch gives a half to each). */
export const maximum = (a: Operand, b: Operand) => binary('maximum', a, b);
/** The smaller of both. Where they are equal, the gradient goes to `a` (PyTorch gives a half to each). */
export const minimum = (a: Operand, b: Operand) => binary('minimum', a, b);
export const equal = (a: Operand, b: Operand) => binary('equal', a, b, 'bool');
export const less = (a: Operand, b: Operand) => binary('less', a, b, 'bool');
export const greater = (a: Operand, b: Operand) => binary('greater', a, b, 'bool');
export const logicalAnd = (a: Tensor, b: Tensor) => binary('logicalAnd', a, b);

/** `a` where the condition holds, else `b`; all three broadcast. The gradient goes to the one that is chosen. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32';
  const left = typeof a === 'number' ? scalar(a, dtype) : a;
  const right = typeof b === 'number' ? scalar(b, dtype) : b;
  const operands = [condition, left, right];
  if (condition.dtype !== 'bool') throw operatorError('select', operands, 'the condition must be bool');
  if (left.dtype !== right.dtype) throw operatorError('select', operands, 'both choices must have one element type');
  const choices = broadcastShapes(left.shape, right.shape);
  const shape = choices && broadcastShapes(condition.shape, choices);
  if (!shape) throw operatorError('select', operands, 'the shapes do not broadcast to one');
  return only(operation('select', operands, {}, [{ shape, dtype }]));
}

// ------------------------------------------------------------------------------------------------------------- contractions

/**
 * Matrix product over the last two axes, either of which may be read transposed. `b` is a matrix, or has the batch axes of
 * `a`: `[…, m, k] · [k, n]` or `[…, m, k] · […, k, n]` is `[…, m, n]`.
 */
export function matmul(a: Tensor, b: Tensor, options: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const fail = (problem: string) => operatorError('matmul', [a, b], problem);
  if (a.dtype !== 'float32' || b.dtype !== 'float32') throw fail('the operands must be float32');
  if (a.shape.length < 2 || b.shape.length < 2) throw fail('each operand needs two axes at least');
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
  return only(operation('matmul', [a, b], { transposeA, transposeB }, [{ shape: [...batch, m, n], dtype: 'float32' }]));
}

export interface ConvolutionOptions {
  /** Added to every pixel of an output channel: `[out]`. Default none. */
  readonly bias?: Tensor | undefined;
  readonly stride?: number | undefined;
  readonly padding?: number | Padding | undefined;
}

/**
 * Convolution (cross-correlation) of images `[batch, in, height, width]` with a kernel `[out, in, rows, columns]`.
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
    throw fail(`the padding must be of non-negative integers, not [${padding.join(', ')}]`);
  if (x.shape.length !== 4 || kernel.shape.length !== 4) {
    throw fail('the image must be [batch, channels, height, width], the kernel [out, in, rows, columns]');
  }
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [out, inChannels, rows, columns] = kernel.shape as [number, number, number, number];
  if (channels !== inChannels) throw fail(`the image has ${channels} channels and the kernel takes ${inChannels}`);
  if (options.bias && !sameShape(options.bias.shape, [out])) throw fail(`the bias must be [${out}]`);
  const [outHeight, outWidth] = convolvedSize([height, width], [rows, columns], stride, padding);
  if (!(outHeight >= 1 && outWidth >= 1)) throw fail('the kernel is larger than the padded image');
  const shape = [batch, out, outHeight, outWidth];
  return only(operation('conv2d', operands, { stride, padding }, [{ shape, dtype: 'float32' }]));
}

/**
 * Convolution of images `[batch, in, height, width]` whose pixels are repeated `factor` times along rows and columns, with a kernel
 * `[out, in, rows, columns]` of odd sizes, padded so that the size is kept: `[batch, out, height · factor, width · factor]`.
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

/** The gradient of `conv2d` by its image, given the gradient of its result. */
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

/** The gradient of `conv2d` by its kernel, given the gradient of its result. */
export function conv2dWeightGradient(
  x: Tensor,
  gradient: Tensor,
  kernelShape: Shape,
  attributes: { stride: number; padding: Padding },
): Tensor {
  requireConvolution('conv2dWeightGradient', [x, gradient], [x.shape, kernelShape, gradient.shape], attributes);
  return only(operation('conv2dWeightGradient', [x, gradient], attributes, [{ shape: kernelShape, dtype: 'float32' }]));
}

/** Demands that a convolution of the first shape with a kernel of the second give the third. */
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

/** The same elements in the same order under another shape, in which one size may be −1: whatever is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const full = shape.map((size) => (size === -1 ? sizeOf(x.shape) / known : size));
  if (sizeOf(full) !== sizeOf(x.shape) || !full.every(Number.isInteger)) {
    throw operatorError('reshape', [x], `${sizeOf(x.shape)} elements do not fit shape [${shape.join(', ')}]`);
  }
  // Of several reshapes in a row only the last counts.
  const source = isOperation(x.operation, 'reshape') ? x.operation.inputs[0]! : x;
  return sameShape(full, source.shape)
    ? source
    : only(operation('reshape', [source], {}, [{ shape: full, dtype: x.dtype }]));
}

/** Repeats axes of size 1, and adds axes in front, to reach the shape. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const reached = broadcastShapes(x.shape, shape);
  if (!reached || !sameShape(reached, shape))
    throw operatorError('broadcast', [x], `it does not broadcast to [${shape.join(', ')}]`);
  return only(operation('broadcast', [x], {}, [{ shape, dtype: x.dtype }]));
}

/** Repeats each pixel of images `[batch, channels, height, width]` `factor` times along rows and columns (nearest neighbour). */
export function upsample(x: Tensor, factor: number): Tensor {
  if (x.shape.length !== 4 || x.dtype !== 'float32')
    throw operatorError('upsample', [x], 'the images must be float32[batch, channels, height, width]');
  if (!Number.isSafeInteger(factor) || factor < 1)
    throw operatorError('upsample', [x], `the factor must be a whole number from 1 up, not ${factor}`);
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const shape = [batch, channels, height * factor, width * factor];
  return factor === 1 ? x : only(operation('upsample', [x], { factor }, [{ shape, dtype: x.dtype }]));
}

/** Reorders the axes: axis i of the result is axis `permutation[i]` of the operand. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  const sorted = [...permutation].sort((a, b) => a - b);
  if (permutation.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
    throw operatorError('transpose', [x], `[${permutation.join(', ')}] is no permutation of its axes`);
  }
  if (permutation.every((axis, i) => axis === i)) return x;
  const shape = permutation.map((axis) => x.shape[axis]!);
  // Where axes of size 1 alone change places, the elements stay where they are.
  const moved = permutation.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis)) return reshape(x, shape);
  return only(operation('transpose', [x], { permutation }, [{ shape, dtype: x.dtype }]));
}

/** Joins tensors along an axis; the other sizes must agree. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0];
  if (!first) throw operatorError('concat', [], 'it needs one tensor at least');
  const along = normalizeAxis('concat', first, axis);
  for (const tensor of tensors) {
    const fits =
      tensor.dtype === first.dtype &&
      tensor.shape.length === first.shape.length &&
      tensor.shape.every((size, i) => i === along || size === first.shape[i]);
    if (!fits) throw operatorError('concat', tensors, `types and sizes must agree on every axis but ${along}`);
  }
  if (tensors.length === 1) return first;
  const shape = first.shape.map((size, i) =>
    i === along ? tensors.reduce((sum, tensor) => sum + tensor.shape[along]!, 0) : size,
  );
  return only(operation('concat', tensors, { axis: along }, [{ shape, dtype: first.dtype }]));
}

/** The block from `starts` (inclusive) to `ends` (exclusive), one number an axis. */
export function slice(x: Tensor, starts: Shape, ends: Shape): Tensor {
  const fits = (i: number) => 0 <= starts[i]! && starts[i]! <= ends[i]! && ends[i]! <= x.shape[i]!;
  const whole = [...starts, ...ends].every(Number.isInteger);
  if (
    !whole ||
    starts.length !== x.shape.length ||
    ends.length !== x.shape.length ||
    !x.shape.every((_, i) => fits(i))
  ) {
    throw operatorError('slice', [x], `[${starts.join(', ')}] to [${ends.join(', ')}] is no block of it`);
  }
  const shape = starts.map((start, i) => ends[i]! - start);
  return sameShape(shape, x.shape) ? x : only(operation('slice', [x], { starts, ends }, [{ shape, dtype: x.dtype }]));
}

/** The block from `start` to `end` along one axis. */
export function sliceAxis(x: Tensor, axis: number, start: number, end: number): Tensor {
  const along = normalizeAxis('slice', x, axis);
  const starts = x.shape.map((_, i) => (i === along ? start : 0));
  const ends = x.shape.map((size, i) => (i === along ? end : size));
  return slice(x, starts, ends);
}

/** Cuts a tensor along an axis into equal parts. */
export function split(x: Tensor, parts: number, axis: number): Tensor[] {
  const along = normalizeAxis('slice', x, axis);
  const size = x.shape[along]! / parts;
  if (!Number.isInteger(size))
    throw operatorError('slice', [x], `axis ${along} does not split into ${parts} equal parts`);
  return Array.from({ length: parts }, (_, i) => sliceAxis(x, along, i * size, (i + 1) * size));
}

/** Adds zeros before and after, one number an axis. */
export function pad(x: Tensor, before: Shape, after: Shape): Tensor {
  if (
    before.length !== x.shape.length ||
    after.length !== x.shape.length ||
    ![...before, ...after].every((size) => Number.isInteger(size) && size >= 0)
  ) {
    throw operatorError(
      'pad',
      [x],
      `[${before.join(', ')}] and [${after.join(', ')}] must give a non-negative integer an axis`,
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
  if (new Set(axes).size < axes.length) throw operatorError(name, [x], `axes [${axes.join(', ')}] repeat`);
  if (axes.length === 0) return x;
  const keepDims = options.keepDims ?? false;
  const shape = x.shape.map((size, i) => (axes.includes(i) ? 1 : size)).filter((_, i) => keepDims || !axes.includes(i));
  return only(operation(name, [x], { axes, keepDims }, [{ shape, dtype: x.dtype }]));
}

/** The sum over some axes, or over all. */
export const sum = (x: Tensor, options: ReductionOptions = {}) => reduction('sum', x, options);
/**
 * The largest element over some axes, or over all. Its whole gradient goes to every element that equals the maximum (PyTorch's `amax`
 * divides it among them).
 */
export const max = (x: Tensor, options: ReductionOptions = {}) => reduction('max', x, options);

/** The mean over some axes, or over all. */
export function mean(x: Tensor, options: ReductionOptions = {}): Tensor {
  const total = sum(x, options);
  return mul(total, sizeOf(total.shape) / sizeOf(x.shape));
}

/** The position of the largest element along the last axis, the first of equals: int32, without the last axis. It has no gradient. */
export function argmax(x: Tensor): Tensor {
  requireAxis('argmax', x);
  requireNumbers('argmax', x);
  return only(operation('argmax', [x], {}, [{ shape: x.shape.slice(0, -1), dtype: 'int32' }]));
}

/** The running sum along the last axis, each element included in its own sum. */
export function cumsum(x: Tensor): Tensor {
  requireAxis('cumsum', x);
  requireNumbers('cumsum', x);
  return only(operation('cumsum', [x], {}, [{ shape: x.shape, dtype: x.dtype }]));
}

/** exp(x) / Σ exp(x) over the last axis. */
export function softmax(x: Tensor): Tensor {
  requireAxis('softmax', x);
  requireFloat('softmax', x);
  return only(operation('softmax', [x], {}, [{ shape: x.shape, dtype: 'float32' }]));
}

/** x − log Σ exp(x) over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  requireAxis('logSoftmax', x);
  requireFloat('logSoftmax', x);
  return only(operation('logSoftmax', [x], {}, [{ shape: x.shape, dtype: 'float32' }]));
}

/** −log softmax(logits)[label], in nats: logits `[…, classes]`, int32 labels `[…]`, result `[…]`. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  requireAxis('crossEntropy', logits);
  requireFloat('crossEntropy', logits);
  if (labels.dtype !== 'int32' || !sameShape(labels.shape, logits.shape.slice(0, -1))) {
    throw operatorError(
      'crossEntropy',
      [logits, labels],
      'the labels must be int32, with the axes of the logits but the last',
    );
  }
  return only(operation('crossEntropy', [logits, labels], {}, [{ shape: labels.shape, dtype: 'float32' }]));
}

/** (x − mean) / √(variance + epsilon) over the last axis: layer normalization without its scale and bias (Ba et al. 2016). */
export function normalize(x: Tensor, epsilon: number): Tensor {
  requireAxis('normalize', x);
  requireFloat('normalize', x);
  const statistics = { shape: [...x.shape.slice(0, -1), 1], dtype: 'float32' } as const;
  // The second output, 1 / √(variance + epsilon), is what the gradient needs.
  return only(operation('normalize', [x], { epsilon }, [{ shape: x.shape, dtype: 'float32' }, statistics]));
}

/**
 * Group normalization (Wu and He 2018) of `[batch, channels, …]`: (x − mean) / √(variance + epsilon) over each group of
 * neighbouring channels, times `weight`, plus `bias`, `[channels]` each.
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
    throw operatorError('groupNormalize', operands, `the channels do not divide into ${groups} groups`);
  if (!sameShape(weight.shape, [channels]) || !sameShape(bias.shape, [channels]))
    throw operatorError('groupNormalize', operands, `the weight and the bias must be of shape [${channels}]`);
  const grouped = [batch, groups, sizeOf(x.shape) / (batch * groups)];
  return only(
    operation('groupNormalize', operands, { groups, epsilon }, [
      { shape: x.shape, dtype: 'float32' },
      // What the gradient needs: (x − mean) / √(variance + epsilon), and 1 / √(variance + epsilon).
      { shape: grouped, dtype: 'float32' },
      { shape: [batch, groups, 1], dtype: 'float32' },
    ]),
  );
}

/**
 * The elements of the last axis in descending order, and where each of them stood (int32): the `count` largest, by default all.
 * Equal elements keep their order, and the gradient of each value goes to the element that it was: among equals of which only some are
 * kept, to the first.
 */
export function sort(x: Tensor, count: number = x.shape.at(-1) ?? 0): { values: Tensor; indices: Tensor } {
  requireAxis('sort', x);
  requireNumbers('sort', x);
  if (!(Number.isInteger(count) && count >= 1 && count <= x.shape.at(-1)!))
    throw operatorError('sort', [x], `there are no ${count} elements to keep of the last axis`);
  const shape = [...x.shape.slice(0, -1), count];
  const [values, indices] = operation('sort', [x], {}, [
    { shape, dtype: x.dtype },
    { shape, dtype: 'int32' },
  ]);
  return { values: values!, indices: indices! };
}

// ----------------------------------------------------------------------------------------------------------------- indexing

/** Rows of a table: `[rows, …]` and int32 indices `[…i]` give `[…i, …]`. Indices must be in `[0, rows)`. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  if (indices.dtype !== 'int32') throw operatorError('gather', [table, indices], 'the indices must be int32');
  requireAxis('gather', table);
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return only(operation('gather', [table, indices], {}, [{ shape, dtype: table.dtype }]));
}

/** Sums rows `[n, width]` into a table `[rows, width]`, each at its index (int32 `[n]`): the gradient of `gather`. */
export function scatterAdd(indices: Tensor, updates: Tensor, rows: number): Tensor {
  const operands = [indices, updates];
  if (indices.dtype !== 'int32') throw operatorError('scatterAdd', operands, 'the indices must be int32');
  requireFloat('scatterAdd', updates);
  if (updates.shape.length !== 2 || !sameShape(indices.shape, updates.shape.slice(0, 1))) {
    throw operatorError('scatterAdd', operands, 'the indices must be [n], the updates [n, width]');
  }
  return only(operation('scatterAdd', operands, {}, [{ shape: [rows, updates.shape[1]!], dtype: 'float32' }]));
}

/** 1 where the last axis, of size `depth`, counts what the int32 index says, else 0: float32 `[…, depth]`. */
export function oneHot(indices: Tensor, depth: number): Tensor {
  if (indices.dtype !== 'int32') throw operatorError('oneHot', [indices], 'the indices must be int32');
  return only(operation('oneHot', [indices], {}, [{ shape: [...indices.shape, depth], dtype: 'float32' }]));
}

/** Picks along the last axis: `[…, n]` and int32 indices `[…, m]` give `[…, m]`. */
export function takeAlong(x: Tensor, indices: Tensor): Tensor {
  requireAxis('takeAlong', x);
  requireLike('takeAlong', x, indices);
  return only(operation('takeAlong', [x, indices], {}, [{ shape: indices.shape, dtype: x.dtype }]));
}

/** Puts updates `[…, m]` at their indices along the last axis of a tensor `[…, width]` of zeros; equal indices add up. */
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

/** `x` with the block `[…, 1, width]` written at a position (int32 scalar) along its axis before the last: a cache's step. */
export function update(x: Tensor, block: Tensor, position: Tensor): Tensor {
  const operands = [x, block, position];
  const expected = x.shape.map((size, i) => (i === x.shape.length - 2 ? 1 : size));
  if (x.shape.length < 2) throw operatorError('update', operands, 'the first operand needs two axes at least');
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
  if (x.dtype === 'bool') throw operatorError(name, [x], 'the operand must be of numbers');
}

function requireAxis(name: OperatorName, x: Tensor): void {
  if (x.shape.length === 0) throw operatorError(name, [x], 'the operand needs an axis');
}

function requireLike(name: OperatorName, x: Tensor, indices: Tensor): void {
  if (
    indices.dtype !== 'int32' ||
    !sameShape(x.shape.slice(0, -1), indices.shape.slice(0, -1)) ||
    x.shape.length !== indices.shape.length
  ) {
    throw operatorError(name, [x, indices], 'the indices must be int32 and have the same axes but the last');
  }
}

function normalizeAxis(name: OperatorName, x: Tensor, axis: number): number {
  const positive = axis < 0 ? axis + x.shape.length : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= x.shape.length)
    throw operatorError(name, [x], `it has no axis ${axis}`);
  return positive;
}

// ------------------------------------------------------------------------------------------------------------- control flow

export interface LoopResult {
  /** The carried tensors after the last iteration. */
  readonly carried: Tensor[];
  /** What each iteration gave to be stacked: each with a new first axis, the iteration. */
  readonly stacked: Tensor[];
}

/**
 * Runs a body a fixed number of times. The body gets the iteration (int32 scalar) and the carried tensors, and returns their
 * next values, of the same shapes, and tensors to be stacked. What it uses from outside, and all that it computes without
 * the iteration or a carried tensor, is computed once.
 */
export function loop(
  count: number,
  initial: readonly Tensor[],
  body: (iteration: Tensor, carried: readonly Tensor[]) => { carried: readonly Tensor[]; stacked?: readonly Tensor[] },
): LoopResult {
  if (!(Number.isSafeInteger(count) && count >= 0))
    throw operatorError('loop', initial, `it runs a whole number of times, not ${count}`);
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
  const outputs = operation('loop', [...initial, ...captured], { count, iteration, carried, next, stacked }, [
    ...initial.map(({ shape, dtype }) => ({ shape, dtype })),
    ...stacked.map(({ shape, dtype }) => ({ shape: [count, ...shape], dtype })),
  ]);
  return { carried: outputs.slice(0, initial.length), stacked: outputs.slice(initial.length) };
}

/** The operations of a loop's body: those that depend on its iteration or on its carried tensors, in topological order. */
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

/** A loop's body: what each iteration is given, its operations in topological order, and what it returns. */
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
