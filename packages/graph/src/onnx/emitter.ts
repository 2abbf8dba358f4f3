import { GraphError } from '../graph-error.js';
import { isOperation } from '../operation.js';
import type { QuantizedBits, QuantizedColumns, QuantizedMatrix, QuantizedRows } from '../quantization.js';
import { sizeOf } from '../shape.js';
import type { DType, Shape, Tensor, TensorData } from '../tensor.js';
import * as proto from './proto.js';

/** A parameter's values, or where they stand. */
export type InitialValue =
  | TensorData
  | ExternalPlace
  | QuantizedMatrix<Uint8Array | FilePlace, Float32Array | FilePlace>
  | QuantizedColumns<Uint8Array | FilePlace, Float32Array | FilePlace>
  | QuantizedRows<FilePlace>;

/** Values outside of the model, little-endian and row-major: a file's path relative to the model, and the first byte in it. */
export interface FilePlace {
  readonly file: string;
  readonly offset: number;
}

/** A parameter outside of the model. */
export interface ExternalPlace extends FilePlace {
  readonly dtype: DType;
  readonly shape: Shape;
  /** The type that the values have there. Default `dtype`. */
  readonly storedAs?: 'float16';
}

type Values = Float32Array | Int32Array | BigInt64Array | Uint8Array;

const bytesPerElement = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8, bool: 1, float16: 2, uint32: 4 } as const;

/** A quantized parameter: the name of its scales, and how its blocks are to be read, or what stands for zero in its columns. */
export type Packing =
  | { readonly scales: string; readonly bits: QuantizedBits; readonly blockSize: number }
  | { readonly scales: string; readonly zero: string };

function bytesOf(data: Values): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Collects the nodes and initializers of an ONNX graph; one for a model, and one more for each loop's body. */
export class OnnxEmitter {
  readonly nodes: Uint8Array[] = [];
  /** The outputs of these nodes. */
  readonly made: string[] = [];
  private readonly names: Map<Tensor, string>;
  private readonly constants: Map<string, string>;
  readonly initializers: proto.Chunks[];
  private readonly counter: { next: number };
  private readonly zerosByShape = new Map<string, string>();
  private readonly packed: Map<Tensor, Packing>;
  private readonly parameters: Set<Tensor>;

  /** An emitter of a loop's body shares names, constants and initializers with the one around it. */
  constructor(outer?: OnnxEmitter) {
    this.names = outer?.names ?? new Map();
    this.constants = outer?.constants ?? new Map();
    this.initializers = outer?.initializers ?? [];
    this.counter = outer?.counter ?? { next: 0 };
    this.packed = outer?.packed ?? new Map();
    this.parameters = outer?.parameters ?? new Set();
  }

  /** A name that nothing else has. Names of parameters and inputs never start with a percent sign. */
  fresh(hint: string): string {
    return `%${hint}.${this.counter.next++}`;
  }

  /** Adds an initializer: its values, or where they stand. */
  initializer(name: string, type: keyof typeof proto.dataTypes, shape: Shape, values: Values | FilePlace): void {
    const dataType = proto.dataTypes[type];
    this.initializers.push(
      'file' in values
        ? proto.externalTensor(name, dataType, shape, values, bytesPerElement[type] * sizeOf(shape))
        : proto.tensor(name, dataType, shape, bytesOf(values)),
    );
  }

  /** Adds a parameter that belongs to the model. */
  parameter(tensor: Tensor, name: string, values: Values | ExternalPlace): void {
    const { storedAs } = values as Partial<ExternalPlace>;
    this.initializer(name, storedAs ?? tensor.dtype, tensor.shape, values);
    // ONNX Runtime computes what follows from initializers alone when it opens the model.
    if (storedAs) this.define(tensor, this.node('Cast', [name], { to: proto.dataTypes[tensor.dtype] }));
    this.parameters.add(tensor);
  }

  /** Adds a parameter in 8 bits with a scale for each row. */
  rows(tensor: Tensor, name: string, { shape, rows, scale, outliers }: QuantizedRows<FilePlace>): void {
    const count = shape[0]!;
    const width = sizeOf(shape.slice(1));
    this.initializer(name, 'int8', [count, width], rows);
    const scaleName = this.fresh('scale');
    this.initializer(scaleName, 'float32', [count, 1], scale);
    // Not by DequantizeLinear, which ONNX Runtime would leave for each run.
    let widened = this.node('Mul', [this.node('Cast', [name], { to: proto.dataTypes.float32 }), scaleName]);
    if (outliers) {
      const values = this.fresh('outliers');
      this.initializer(values, 'float32', [outliers.count], outliers.values);
      const positions = this.fresh('positions');
      // Unsigned, or a negative one of a damaged file would count from the end instead of being refused.
      this.initializer(positions, 'uint32', [outliers.count, 1], outliers.positions);
      const flat = this.node('Cast', [positions], { to: proto.dataTypes.int64 });
      // Not by ScatterElements, which would take the matrix as a vector: each copy of all values takes as long as to widen them.
      const rowAndColumn = ['Div', 'Mod'].map((type) => this.node(type, [flat, this.integers([width])]));
      widened = this.node('ScatterND', [widened, this.node('Concat', rowAndColumn, { axis: 1 }), values]);
    }
    this.define(tensor, shape.length === 2 ? widened : this.node('Reshape', [widened, this.integers(shape)]));
    this.parameters.add(tensor);
  }

  /** Whether a tensor is a parameter that belongs to the model: what follows from such alone, ONNX Runtime computes once. */
  isInitializer(tensor: Tensor): boolean {
    return this.parameters.has(tensor);
  }

  /** Adds a parameter in few bits. Whatever multiplies with it asks for `packingOf`. */
  blocks(
    tensor: Tensor,
    name: string,
    { shape, bits, blockSize, blocks, scales }: Extract<InitialValue, { blocks: unknown }>,
  ): void {
    const [rows, columns] = shape as [number, number];
    const perRow = Math.ceil(columns / blockSize);
    this.initializer(name, 'uint8', [rows, perRow, (blockSize * bits) / 8], blocks);
    const scalesName = this.fresh('scales');
    this.initializer(scalesName, 'float32', [rows * perRow], scales);
    this.packed.set(tensor, { scales: scalesName, bits, blockSize });
  }

  /** Adds a parameter in 8 bits, its columns one after the other. Whatever multiplies with it asks for `packingOf`. */
  columns(
    tensor: Tensor,
    name: string,
    { shape, columns: values, scales }: Extract<InitialValue, { columns: unknown }>,
  ): void {
    const [rows, columns] = shape as [number, number];
    this.initializer(name, 'uint8', [columns, rows], values);
    const scalesName = this.fresh('scales');
    this.initializer(scalesName, 'float32', [rows], scales);
    const zero = this.constant('uint8', [], Uint8Array.of(128));
    this.packed.set(tensor, { scales: scalesName, zero });
  }

  /** How a parameter is packed that is given in few bits. */
  packingOf(tensor: Tensor): Packing | undefined {
    return this.packed.get(tensor);
  }

  isDefined(tensor: Tensor): boolean {
    return this.names.has(tensor);
  }

  define(tensor: Tensor, name: string): void {
    this.names.set(tensor, name);
  }

  nameOf(tensor: Tensor): string {
    const name = this.names.get(tensor);
    if (name === undefined) {
      const { operation } = tensor;
      const what = isOperation(operation, 'input') ? `input ${operation.attributes.name}` : operation.name;
      throw new GraphError(`emitOnnx: the outputs need ${what}, which is not among the graph's inputs`);
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

  /** The name of a constant; equal constants are written once. */
  constant(type: keyof typeof proto.dataTypes, shape: Shape, data: Values): string {
    const bytes = bytesOf(data);
    const key = bytes.length <= 1024 ? `${type}[${shape}]${String.fromCharCode(...bytes)}` : undefined;
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known) return known;
    const name = this.fresh('constant');
    this.initializer(name, type, shape, data);
    if (key !== undefined) this.constants.set(key, name);
    return name;
  }

  /** A constant vector of 64-bit integers, as ONNX wants shapes and axes. */
  integers(values: readonly number[]): string {
    return this.constant('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** The name of a vector of float32 ones; those of one width are written once. */
  ones(width: number): string {
    const key = `ones[${width}]`;
    const known = this.constants.get(key);
    if (known) return known;
    const name = this.constant('float32', [width], new Float32Array(width).fill(1));
    this.constants.set(key, name);
    return name;
  }

  /** The name of float32 zeros, made at run time so that they take no room in the model; those of one shape are made once. */
  zeros(shape: Shape): string {
    const key = shape.join();
    const known = this.zerosByShape.get(key);
    if (known) return known;
    const name = this.node('Expand', [this.constant('float32', [], Float32Array.of(0)), this.integers(shape)]);
    this.zerosByShape.set(key, name);
    return name;
  }

  /** Gives a tensor the name of an output: by a node, since one tensor can be several outputs, or an input too. */
  result(name: string, tensor: Tensor): void {
    this.nodes.push(proto.node('Identity', [this.nameOf(tensor)], [name]));
  }
}
