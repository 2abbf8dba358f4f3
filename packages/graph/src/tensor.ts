import type { QuantizedColumns, QuantizedMatrix, QuantizedRows } from './quantization.js';
import { varyingAxes } from './varying-axes.js';

/** Element type of a tensor. */
export type DType = 'float32' | 'int32' | 'bool';

/** Sizes of a tensor's axes, outermost first. All sizes are known when a graph is built. */
export type Shape = readonly number[];

/** A tensor's values: what goes into a graph and comes out of it. Row-major; booleans are bytes of 0 and 1. */
export type TensorData =
  | { readonly dtype: 'float32'; readonly shape: Shape; readonly data: Float32Array }
  | { readonly dtype: 'int32'; readonly shape: Shape; readonly data: Int32Array }
  | { readonly dtype: 'bool'; readonly shape: Shape; readonly data: Uint8Array };

/** Where values begin in a file, which a runtime maps into memory instead of reading it. */
export interface FileRegion {
  readonly folder: string;
  /** The file's name in the folder. */
  readonly file: string;
  /** The first byte. */
  readonly offset: number;
}

/** A parameter's values in a file, little-endian and row-major. A safetensors file will do. */
export interface TensorFile extends FileRegion {
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** The type that they have in the file, which a runtime widens. Default float32. */
  readonly storedAs?: 'float16';
}

/** Where a parameter's values are: in memory or in a file, as they are or in few bits. */
export type ParameterValue =
  | TensorData
  | TensorFile
  | QuantizedMatrix
  | QuantizedMatrix<FileRegion, FileRegion>
  | QuantizedColumns
  | QuantizedColumns<FileRegion, FileRegion>
  | QuantizedRows<FileRegion>;

/** The places in files that a parameter's values are in: none, for those in memory. */
export function fileRegionsOf(value: ParameterValue): readonly FileRegion[] {
  return partsOf(value).filter((part): part is Extract<typeof part, FileRegion> => 'folder' in part);
}

function partsOf(value: ParameterValue) {
  if ('blocks' in value) return [value.blocks, value.scales];
  if ('columns' in value) return [value.columns, value.scales];
  if (!('rows' in value)) return [value];
  const { rows, scale, outliers } = value;
  return [rows, scale, ...(outliers ? [outliers.values, outliers.positions] : [])];
}

/** How a parameter's first values are made: see `initializers.ts`. */
export interface Initializer {
  readonly kind: 'zeros' | 'ones' | 'constant' | 'normal' | 'uniform';
  /** The constant, the standard deviation of the normal, or the bound of the uniform distribution in `[-scale, scale)`. */
  readonly scale: number;
}

/** Top, left, bottom and right padding in pixels. */
export type Padding = readonly [top: number, left: number, bottom: number, right: number];

type NoAttributes = Record<never, never>;

/** Every operator with its attributes. The tables of gradients, of ONNX emission and of TensorFlow.js have one entry for each. */
export interface OperatorAttributes {
  // Sources
  input: { readonly name: string; readonly varying?: number };
  parameter: { readonly name: string; readonly initializer: Initializer };
  constant: { readonly value: TensorData };
  // Element by element, one operand
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
  // Element by element, broadcasting
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
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  conv2d: { readonly stride: number; readonly padding: Padding };
  upsampleConv2d: { readonly factor: number; readonly padding: Padding };
  conv2dInputGradient: { readonly stride: number; readonly padding: Padding };
  conv2dWeightGradient: { readonly stride: number; readonly padding: Padding };
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
  };
}

export type OperatorName = keyof OperatorAttributes;

/** One application of an operator: a node of the graph. */
export interface Operation<Name extends OperatorName = OperatorName> {
  readonly name: Name;
  readonly attributes: OperatorAttributes[Name];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** The layer that it was built in, such as `decoder.block.3.attention`; empty outside any layer. */
  readonly layer: string;
}

/** A symbolic tensor: an output of an operation. It has a shape and an element type, and no values. */
export interface Tensor {
  readonly operation: Operation;
  /** Which of the operation's outputs it is. */
  readonly index: number;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Axes along which a run may have less than the shape says: see `InputOptions.varying`. */
  readonly varying?: readonly number[];
}

/** A function ready to be compiled: named inputs and outputs. Its parameters are those that the outputs depend on. */
export interface Graph {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** A graph was built wrongly; the message names the operator, the shapes and the layer. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}

const layers: string[] = [];

/** Builds part of a graph inside a named layer, so that errors and printed graphs can say where. */
export function inLayer<T>(layer: string, build: () => T): T {
  layers.push(layer);
  try {
    return build();
  } finally {
    layers.pop();
  }
}

/** The error of an operator applied wrongly, with the operands' shapes and the current layer. */
export function operatorError(operator: OperatorName, operands: readonly Tensor[], problem: string): GraphError {
  const given = operands.map(describe).join(', ');
  const layer = layers.at(-1);
  return new GraphError(`${operator}(${given})${layer ? ` in ${layer}` : ''}: ${problem}`);
}

/** A tensor's type in words: `float32[2, 3]`, or `float32[2, up to 3]` where it varies. */
export function describe({ dtype, shape, varying = [] }: Tensor): string {
  const sizes = shape.map((size, axis) => (varying.includes(axis) ? `up to ${size}` : size));
  return `${dtype}[${sizes.join(', ')}]`;
}

/** Adds an operation with any number of outputs; shapes are the caller's to check. */
export function operation<Name extends OperatorName>(
  name: Name,
  inputs: readonly Tensor[],
  attributes: OperatorAttributes[Name],
  outputs: readonly { shape: Shape; dtype: DType }[],
): Tensor[] {
  const tensors: Tensor[] = [];
  const node: Operation<Name> = { name, attributes, inputs, outputs: tensors, layer: layers.at(-1) ?? '' };
  const varying = varyingAxes(node, outputs);
  if (typeof varying === 'string') throw operatorError(name, inputs, varying);
  for (const [index, { shape, dtype }] of outputs.entries()) {
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw operatorError(name, inputs, `a shape must be of non-negative integers, not [${shape.join(', ')}]`);
    }
    const axes = varying?.[index] ?? [];
    tensors.push({
      operation: node as Operation,
      index,
      shape,
      dtype,
      ...(axes.length > 0 ? { varying: axes } : {}),
    });
  }
  return tensors;
}

/** Whether an operation applies the named operator; narrows the type of its attributes. */
export function isOperation<Name extends OperatorName>(node: Operation, name: Name): node is Operation<Name> {
  return node.name === name;
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The shape that NumPy's rules broadcast two shapes to, or undefined where they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const sizeA = a[a.length - rank + axis] ?? 1;
    const sizeB = b[b.length - rank + axis] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) return undefined;
    shape.push(sizeA === 1 ? sizeB : sizeA);
  }
  return shape;
}

/**
 * The operations that some tensors depend on, each after those that it depends on. A loop's body is not entered: what the
 * body needs from outside stands among the loop's inputs.
 */
export function topologicalOrder(outputs: Iterable<Tensor>): Operation[] {
  const order: Operation[] = [];
  const visited = new Set<Operation>();
  // An explicit stack: long chains would overflow the call stack.
  for (const { operation: root } of outputs) {
    const stack: { node: Operation; next: number }[] = [];
    if (!visited.has(root)) {
      visited.add(root);
      stack.push({ node: root, next: 0 });
    }
    while (stack.length > 0) {
      const frame = stack[stack.length - 1]!;
      const input = frame.node.inputs[frame.next++];
      if (input === undefined) {
        order.push(frame.node);
        stack.pop();
      } else if (!visited.has(input.operation)) {
        visited.add(input.operation);
        stack.push({ node: input.operation, next: 0 });
      }
    }
  }
  return order;
}

/** The parameters that some tensors depend on, by name, in the order of their first use. */
export function parametersOf(outputs: Iterable<Tensor>): Map<string, Tensor> {
  const parameters = new Map<string, Tensor>();
  for (const node of topologicalOrder(outputs)) {
    if (!isOperation(node, 'parameter')) continue;
    const { name } = node.attributes;
    const tensor = node.outputs[0]!;
    if (parameters.has(name))
      throw new GraphError(`two parameters are named ${name}; a parameter's name must be unique in a graph`);
    parameters.set(name, tensor);
  }
  return parameters;
}

/** A graph as text, one operation a line: for reading, and for comparing two graphs. */
export function printGraph(graph: Graph): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  const print = (outputs: Iterable<Tensor>, indent: string) => {
    for (const node of topologicalOrder(outputs)) {
      if (node.outputs.length > 0 && names.has(node.outputs[0]!)) continue;
      for (const output of node.outputs) names.set(output, `%${names.size}`);
      const left = node.outputs.map((output) => `${names.get(output)}: ${describe(output)}`).join(', ');
      const inputs = node.inputs.map((tensor) => names.get(tensor)).join(', ');
      const attributes = isOperation(node, 'loop') ? ` count=${node.attributes.count}` : attributesText(node);
      lines.push(`${indent}${left} = ${node.name}(${inputs})${attributes}${node.layer ? `  # ${node.layer}` : ''}`);
      if (isOperation(node, 'loop')) print([...node.attributes.next, ...node.attributes.stacked], `${indent}  `);
    }
  };
  print(Object.values(graph.outputs), '');
  const results = Object.entries(graph.outputs).map(([name, tensor]) => `${name}=${names.get(tensor)}`);
  return `${lines.join('\n')}\nreturn ${results.join(', ')}\n`;
}

function attributesText(node: Operation): string {
  const entries = Object.entries(node.attributes).filter(([key]) => key !== 'value' && key !== 'initializer');
  return entries.map(([key, value]) => ` ${key}=${JSON.stringify(value)}`).join('');
}
