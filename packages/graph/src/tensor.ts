/** Element type of a tensor. */
export type DType = 'float32' | 'int32' | 'bool';

/** Sizes of a tensor's axes, outermost first. All sizes are known when a graph is built. */
export type Shape = readonly number[];

/** The values of a tensor, an input or an output of a graph. Row-major; a boolean is a byte, 0 or 1. */
export type TensorData =
  | { readonly dtype: 'float32'; readonly shape: Shape; readonly data: Float32Array }
  | { readonly dtype: 'int32'; readonly shape: Shape; readonly data: Int32Array }
  | { readonly dtype: 'bool'; readonly shape: Shape; readonly data: Uint8Array };

/** The distribution of a parameter's initial values: see `initializers.ts`. */
export interface Initializer {
  readonly kind: 'zeros' | 'ones' | 'constant' | 'normal' | 'uniform';
  /** The constant, the standard deviation of the normal, or the bound of the uniform distribution in `[-scale, scale)`. */
  readonly scale: number;
  /** The mean of the normal distribution. Default 0. */
  readonly mean?: number | undefined;
}

/** Top, left, bottom and right padding in pixels. */
export type Padding = readonly [top: number, left: number, bottom: number, right: number];

/** Square windows of pixels. */
export interface PoolingWindow {
  /** Rows and columns of a window. */
  readonly size: number;
  /** Distance of adjacent windows. */
  readonly stride: number;
  readonly padding: Padding;
}

type NoAttributes = Record<never, never>;

/**
 * Every operator with its attributes. The tables of gradients, ONNX lowerings, StableHLO lowerings and TensorFlow.js kernels have an entry
 * per operator.
 */
export interface OperatorAttributes {
  // Sources
  input: { readonly name: string; readonly dynamic?: number };
  parameter: { readonly name: string; readonly initializer: Initializer };
  constant: { readonly value: TensorData };
  // Elementwise, one operand
  neg: NoAttributes;
  exp: NoAttributes;
  log: NoAttributes;
  sqrt: NoAttributes;
  reciprocal: NoAttributes;
  abs: NoAttributes;
  sign: NoAttributes;
  sin: NoAttributes;
  cos: NoAttributes;
  tanh: NoAttributes;
  erf: NoAttributes;
  sigmoid: NoAttributes;
  relu: NoAttributes;
  gelu: NoAttributes;
  swish: NoAttributes;
  logicalNot: NoAttributes;
  stopGradient: NoAttributes;
  cast: { readonly dtype: DType };
  // Elementwise, broadcasting
  add: NoAttributes;
  sub: NoAttributes;
  mul: NoAttributes;
  div: NoAttributes;
  pow: NoAttributes;
  maximum: NoAttributes;
  minimum: NoAttributes;
  equal: NoAttributes;
  less: NoAttributes;
  greater: NoAttributes;
  logicalAnd: NoAttributes;
  select: NoAttributes;
  // Contractions
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly exact?: boolean | undefined };
  conv2d: { readonly stride: number; readonly padding: Padding };
  upsampleConv2d: { readonly factor: number; readonly padding: Padding };
  conv2dInputGradient: { readonly stride: number; readonly padding: Padding };
  conv2dWeightGradient: { readonly stride: number; readonly padding: Padding };
  // Pooling
  maxPool2d: PoolingWindow;
  maxPool2dGradient: PoolingWindow;
  // Shapes
  reshape: NoAttributes;
  broadcast: NoAttributes;
  upsample: { readonly factor: number };
  transpose: { readonly permutation: readonly number[] };
  concat: { readonly axis: number };
  slice: { readonly starts: Shape; readonly ends: Shape };
  pad: { readonly before: Shape; readonly after: Shape };
  // Reductions and scans
  sum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  max: { readonly axes: readonly number[]; readonly keepDims: boolean };
  argmax: NoAttributes;
  cumsum: NoAttributes;
  softmax: NoAttributes;
  logSoftmax: NoAttributes;
  crossEntropy: NoAttributes;
  normalize: { readonly epsilon: number };
  groupNormalize: { readonly groups: number; readonly epsilon: number };
  sort: NoAttributes;
  // Indexing
  gather: NoAttributes;
  scatterAdd: NoAttributes;
  oneHot: NoAttributes;
  takeAlong: NoAttributes;
  scatterAlong: NoAttributes;
  update: NoAttributes;
  // Control flow
  loop: {
    readonly count: number;
    readonly iteration: Tensor;
    readonly carried: readonly Tensor[];
    readonly next: readonly Tensor[];
    readonly stacked: readonly Tensor[];
    /** The place among the carried tensors of the one, a bool scalar, that must be true for another iteration. Default: none. */
    readonly proceeds?: number | undefined;
  };
}

export type OperatorName = keyof OperatorAttributes;

/** One application of an operator: a node of the graph. */
export interface Operation<Name extends OperatorName = OperatorName> {
  readonly name: Name;
  readonly attributes: OperatorAttributes[Name];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** The layer of the operation, such as `decoder.block.3.attention`; empty outside any layer. */
  readonly layer: string;
}

/** A symbolic tensor: an output of an operation. It has a shape and an element type, but no values. */
export interface Tensor {
  readonly operation: Operation;
  /** Index of this tensor among the operation's outputs. */
  readonly index: number;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Axes that may be shorter in a run than in `shape`: see `InputOptions.dynamic`. */
  readonly dynamic?: readonly number[] | undefined;
}

/** A function to compile, with named inputs and outputs. Its parameters are those that the outputs depend on. */
export interface Graph {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}
