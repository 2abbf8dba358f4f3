import { GraphError } from '../graph-error.js';
import { isOperation } from '../operation.js';
import { sizeOf } from '../shape.js';
import type { Shape, Tensor } from '../tensor.js';
import * as proto from './proto.js';

/** The place of values outside the model, little-endian and row-major: a path relative to the model, and a byte offset. */
export interface FilePlace {
  readonly file: string;
  readonly offset: number;
}

const bytesPerElement = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8, bool: 1, float16: 2, uint32: 4 } as const;

/** Adds the product of a tensor and a quantized parameter `[out, in]` that is not dequantized, and returns the product's name. */
export type Product = (emitter: OnnxEmitter, left: string) => string;

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Collects the nodes and initializers of an ONNX graph. A model has one emitter, and each loop body another. */
export class OnnxEmitter {
  readonly nodes: Uint8Array[] = [];
  /** The outputs of these nodes. */
  readonly made: string[] = [];
  private readonly names: Map<Tensor, string>;
  private readonly constants: Map<string, string>;
  readonly initializers: proto.Chunks[];
  private readonly counter: { next: number };
  private readonly zerosByShape = new Map<string, string>();
  private readonly products: Map<Tensor, Product>;
  private readonly parameters: Set<Tensor>;

  /** The emitter of a loop's body shares names, constants and initializers with the outer one. */
  constructor(outer?: OnnxEmitter) {
    this.names = outer?.names ?? new Map();
    this.constants = outer?.constants ?? new Map();
    this.initializers = outer?.initializers ?? [];
    this.counter = outer?.counter ?? { next: 0 };
    this.products = outer?.products ?? new Map();
    this.parameters = outer?.parameters ?? new Set();
  }

  /** Returns an unused name. Names of parameters and inputs never start with a percent sign. */
  fresh(hint: string): string {
    return `%${hint}.${this.counter.next++}`;
  }

  /** Adds an initializer, with its values or their place in a file. */
  initializer(
    name: string,
    type: keyof typeof proto.dataTypes,
    shape: Shape,
    values: ArrayBufferView | FilePlace,
  ): void {
    const dataType = proto.dataTypes[type];
    this.initializers.push(
      'file' in values
        ? proto.externalTensor(name, dataType, shape, values, bytesPerElement[type] * sizeOf(shape))
        : proto.tensor(name, dataType, shape, bytesOf(values)),
    );
  }

  /** Names a parameter that is an initializer. */
  parameter(tensor: Tensor, name: string): void {
    this.define(tensor, name);
    this.parameters.add(tensor);
  }

  /** Checks whether a tensor is an initializer. ONNX Runtime folds operations whose operands are all initializers. */
  isInitializer(tensor: Tensor): boolean {
    return this.parameters.has(tensor);
  }

  /** Registers the matrix product for a quantized parameter that is not dequantized. */
  packed(tensor: Tensor, product: Product): void {
    this.products.set(tensor, product);
  }

  /** Returns the matrix product for a quantized parameter that is not dequantized. */
  productOf(tensor: Tensor): Product | undefined {
    return this.products.get(tensor);
  }

  isDefined(tensor: Tensor): boolean {
    return this.names.has(tensor);
  }

  define(tensor: Tensor, name: string): void {
    this.names.set(tensor, name);
  }

  /** Returns the name of a tensor. Constants are emitted on first use, because passes may make some of them unused. */
  nameOf(tensor: Tensor): string {
    const name = this.names.get(tensor);
    const { operation } = tensor;
    if (name === undefined && isOperation(operation, 'constant')) {
      const { dtype, shape, data } = operation.attributes.value;
      this.define(tensor, this.constant(dtype, shape, data));
      return this.nameOf(tensor);
    }
    if (name === undefined) {
      const what = isOperation(operation, 'input') ? `input ${operation.attributes.name}` : operation.name;
      throw new GraphError(`emitOnnx: the outputs depend on ${what}, which must be among the graph's inputs.`);
    }
    return name;
  }

  /** Adds a node with one output, and returns the output's name. */
  node(type: string, inputs: readonly string[], attributes: proto.Attributes = {}, domain = ''): string {
    const output = this.fresh(type);
    this.nodes.push(proto.node(type, inputs, [output], attributes, domain));
    this.made.push(output);
    return output;
  }

  /** Adds a node with several outputs, and returns their names. */
  nodeOf(outputs: number, type: string, inputs: readonly string[], attributes: proto.Attributes = {}): string[] {
    const names = Array.from({ length: outputs }, () => this.fresh(type));
    this.nodes.push(proto.node(type, inputs, names, attributes));
    this.made.push(...names);
    return names;
  }

  reshape(name: string, shape: Shape): string {
    return this.node('Reshape', [name, this.integers(shape)]);
  }

  /** Returns the name of a constant. Small equal constants are emitted once. */
  constant(type: keyof typeof proto.dataTypes, shape: Shape, data: ArrayBufferView): string {
    const bytes = bytesOf(data);
    const key = bytes.length <= 1024 ? `${type}[${shape}]${String.fromCharCode(...bytes)}` : undefined;
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known) return known;
    const name = this.fresh('constant');
    this.initializer(name, type, shape, data);
    if (key !== undefined) this.constants.set(key, name);
    return name;
  }

  /** Returns the name of a constant vector of 64-bit integers, the type that ONNX requires for shapes and axes. */
  integers(values: readonly number[]): string {
    return this.constant('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** Returns the name of a float32 vector of ones. There is one per width. */
  ones(width: number): string {
    const key = `ones[${width}]`;
    const known = this.constants.get(key);
    if (known) return known;
    const name = this.constant('float32', [width], new Float32Array(width).fill(1));
    this.constants.set(key, name);
    return name;
  }

  /** Returns the name of float32 zeros, one per shape. They are created at run time to keep the model small. */
  zeros(shape: Shape): string {
    const key = shape.join();
    const known = this.zerosByShape.get(key);
    if (known) return known;
    const name = this.node('Expand', [this.constant('float32', [], Float32Array.of(0)), this.integers(shape)]);
    this.zerosByShape.set(key, name);
    return name;
  }

  /** Makes a tensor a named output. It adds a node, because a tensor can be several outputs, or an input too. */
  result(name: string, tensor: Tensor): void {
    this.nodes.push(proto.node('Identity', [this.nameOf(tensor)], [name]));
  }
}
