import { GraphError } from '../graph-error.js';
import { isOperation } from '../operation.js';
import { broadcastShapes, sameShape, sizeOf } from '../shape.js';
import type { StoredDType } from '../stored/part.js';
import type { DType, Shape, Tensor, TensorData } from '../tensor.js';
import { type AxisSize, type AxisSizes, addSizes, sizeOfAxis } from './axis-size.js';
import { type OpenSharding, shardingOf } from './sharding.js';

/** Element type of a value. */
export type ElementType = StoredDType | 'bfloat16';

/** A value of the module, with its name in the text. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: ElementType;
  /** The dynamic axes, which are padded to `shape`. What is in the padding is undefined. */
  readonly sizes: AxisSizes;
}

const elementTypes = {
  float32: 'f32',
  int32: 'i32',
  bool: 'i1',
  bfloat16: 'bf16',
  float16: 'f16',
  int8: 'i8',
  uint8: 'ui8',
} as const;

/** Returns the type of a value, such as `tensor<2x3xf32>`. */
export const typeOf = ({ shape, dtype }: Pick<Value, 'shape' | 'dtype'>): string =>
  `tensor<${[...shape, elementTypes[dtype]].join('x')}>`;

export const listOf = (values: readonly (number | string)[]): string => `[${values.join(', ')}]`;

const axesOf = (shape: Shape): number[] => shape.map((_, axis) => axis);

/** Operators of StableHLO that combine two elements, and start reductions with the given value. */
export type Combination = 'add' | 'maximum' | 'minimum';

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A constant with more characters than this is emitted once, outside of all loops. */
const longConstant = 200;

/** What the regions of a module share. */
interface Shared {
  next: number;
  readonly values: Map<Tensor, Value>;
  /** How to decode the parameters that are not stored in full precision. */
  readonly stored: Map<Tensor, (region: StableHloEmitter) => Value>;
  /** The arguments with the sizes of dynamic inputs. */
  readonly inputSizes: Map<string, Value>;
  readonly compute: 'float32' | 'bfloat16';
}

/** Collects the text of a region: of the main function, or of a loop's body. */
export class StableHloEmitter {
  readonly lines: string[] = [];
  private readonly constants = new Map<string, Value>();
  private readonly decoded = new Map<Tensor, Value>();
  private readonly shared: Shared;

  /** @param from What products compute in, for a module; the surrounding region, for a loop's body. */
  constructor(private readonly from: 'float32' | 'bfloat16' | StableHloEmitter) {
    this.shared =
      from instanceof StableHloEmitter
        ? from.shared
        : { next: 0, values: new Map(), stored: new Map(), inputSizes: new Map(), compute: from };
  }

  /** The element type in which operands of matrix products and convolutions are multiplied. */
  get compute(): 'float32' | 'bfloat16' {
    return this.shared.compute;
  }

  fresh(): string {
    return `%${this.shared.next++}`;
  }

  /** Adds a line that computes a value. */
  value(text: string, shape: Shape, dtype: ElementType): Value {
    const name = this.fresh();
    this.lines.push(`${name} = ${text}`);
    return { name, shape, dtype, sizes: new Map() };
  }

  /** Adds lines that compute several values, of the types of the given ones. */
  values([first, ...others]: readonly string[], like: readonly Value[]): Value[] {
    const name = this.fresh();
    this.lines.push(`${name}:${like.length} = ${first}`, ...others);
    return like.map(({ shape, dtype }, i) => ({ name: `${name}#${i}`, shape, dtype, sizes: new Map() }));
  }

  define(tensor: Tensor, value: Value): void {
    this.shared.values.set(tensor, value);
  }

  /**
   * Defines a parameter that is decoded in each region that uses it. Decoded before a loop, it would be in memory in full precision while
   * the loop runs.
   */
  defineStored(tensor: Tensor, decode: (region: StableHloEmitter) => Value): void {
    this.shared.stored.set(tensor, decode);
  }

  /** Returns the value of a tensor. Constants are emitted where they are used, and stored parameters are decoded there. */
  valueOf(tensor: Tensor): Value {
    const { operation } = tensor;
    if (isOperation(operation, 'constant')) return this.constant(operation.attributes.value);
    const value = this.shared.values.get(tensor) ?? this.decode(tensor);
    if (value) return value;
    const what = isOperation(operation, 'input') ? `input ${operation.attributes.name}` : operation.name;
    throw new GraphError(`emitStableHlo: the outputs depend on ${what}, which must be among the graph's inputs.`);
  }

  private decode(tensor: Tensor): Value | undefined {
    const known = this.decoded.get(tensor);
    if (known) return known;
    const value = this.shared.stored.get(tensor)?.(this);
    if (value) this.decoded.set(tensor, value);
    return value;
  }

  defineInputSize(input: string, value: Value): void {
    this.shared.inputSizes.set(input, value);
  }

  /** Returns the size of a dynamic axis as an int32 scalar. */
  size({ inputs, constant }: AxisSize): Value {
    const parts = inputs.map((name) => this.shared.inputSizes.get(name)!);
    if (constant !== 0 || parts.length === 0) parts.push(this.scalar(constant, 'int32'));
    return parts.reduce((sum, part) => this.binary('add', sum, part));
  }

  constant(value: TensorData): Value {
    const { shape, dtype } = value;
    const text = `stablehlo.constant dense<${elements(value)}> : ${typeOf(value)}`;
    if (text.length > longConstant && this.from instanceof StableHloEmitter) return this.from.constant(value);
    const known = this.constants.get(text);
    if (known) return known;
    const made = this.value(text, shape, dtype);
    this.constants.set(text, made);
    return made;
  }

  scalar(value: number, dtype: DType = 'float32'): Value {
    const array = arrays[dtype];
    return this.constant({ dtype, shape: [], data: array.of(value) } as TensorData);
  }

  fill(shape: Shape, value: number, dtype: DType = 'float32'): Value {
    return this.broadcast(this.scalar(value, dtype), shape);
  }

  /** Broadcasts to a shape. `axes` says which axis of the result each axis is; by default the last ones. */
  broadcast(x: Value, shape: Shape, axes = axesOf(x.shape).map((axis) => axis + shape.length - x.shape.length)): Value {
    if (sameShape(x.shape, shape)) return x;
    const type = typeOf({ shape, dtype: x.dtype });
    const text = `stablehlo.broadcast_in_dim ${x.name}, dims = ${listOf(axes)} : (${typeOf(x)}) -> ${type}`;
    return this.value(text, shape, x.dtype);
  }

  unary(name: string, x: Value): Value {
    return this.value(`stablehlo.${name} ${x.name} : ${typeOf(x)}`, x.shape, x.dtype);
  }

  /** Computes the error function, for which StableHLO itself has no operator. */
  erf(x: Value): Value {
    return this.value(`chlo.erf ${x.name} : ${typeOf(x)} -> ${typeOf(x)}`, x.shape, x.dtype);
  }

  binary(name: string, a: Value, b: Value): Value {
    const shape = broadcastShapes(a.shape, b.shape)!;
    const [left, right] = [this.broadcast(a, shape), this.broadcast(b, shape)];
    return this.value(`stablehlo.${name} ${left.name}, ${right.name} : ${typeOf(left)}`, shape, a.dtype);
  }

  compare(direction: 'EQ' | 'NE' | 'LT' | 'GT', a: Value, b: Value): Value {
    const shape = broadcastShapes(a.shape, b.shape)!;
    const [left, right] = [this.broadcast(a, shape), this.broadcast(b, shape)];
    const order = a.dtype === 'int32' ? 'SIGNED' : 'FLOAT';
    const types = `(${typeOf(left)}, ${typeOf(right)}) -> ${typeOf({ shape, dtype: 'bool' })}`;
    return this.value(
      `stablehlo.compare ${direction}, ${left.name}, ${right.name}, ${order} : ${types}`,
      shape,
      'bool',
    );
  }

  select(condition: Value, a: Value, b: Value): Value {
    const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape)!)!;
    const [which, left, right] = [condition, a, b].map((value) => this.broadcast(value, shape)) as [
      Value,
      Value,
      Value,
    ];
    const text = `stablehlo.select ${which.name}, ${left.name}, ${right.name} : ${typeOf(which)}, ${typeOf(left)}`;
    return this.value(text, shape, a.dtype);
  }

  /**
   * Returns a copy of a value that XLA does not merge with the value, so that it computes what follows from each.
   *
   * @param after What is computed before the copy.
   */
  copy(x: Value, ...after: readonly Value[]): Value {
    const all = [x, ...after];
    const text = `stablehlo.optimization_barrier ${all.map(({ name }) => name).join(', ')} : ${all.map(typeOf).join(', ')}`;
    return this.values([text], all)[0]!;
  }

  /** Divides a value over the devices. */
  divide(x: Value, sharding: OpenSharding): Value {
    return this.value(`sdy.sharding_constraint ${x.name} ${shardingOf(sharding)} : ${typeOf(x)}`, x.shape, x.dtype);
  }

  reshape(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x;
    const type = typeOf({ shape, dtype: x.dtype });
    return this.value(`stablehlo.reshape ${x.name} : (${typeOf(x)}) -> ${type}`, shape, x.dtype);
  }

  transpose(x: Value, permutation: readonly number[]): Value {
    if (permutation.every((axis, i) => axis === i)) return x;
    const shape = permutation.map((axis) => x.shape[axis]!);
    const type = typeOf({ shape, dtype: x.dtype });
    const text = `stablehlo.transpose ${x.name}, dims = ${listOf(permutation)} : (${typeOf(x)}) -> ${type}`;
    return this.value(text, shape, x.dtype);
  }

  convert(x: Value, dtype: ElementType): Value {
    if (x.dtype === dtype) return x;
    return this.value(`stablehlo.convert ${x.name} : (${typeOf(x)}) -> ${typeOf({ ...x, dtype })}`, x.shape, dtype);
  }

  /** Returns the integers along an axis: int32. */
  iota(shape: Shape, axis: number): Value {
    return this.value(`stablehlo.iota dim = ${axis} : ${typeOf({ shape, dtype: 'int32' })}`, shape, 'int32');
  }

  slice(x: Value, starts: Shape, ends: Shape): Value {
    const shape = starts.map((start, axis) => ends[axis]! - start);
    const ranges = listOf(starts.map((start, axis) => `${start}:${ends[axis]}`));
    const type = typeOf({ shape, dtype: x.dtype });
    return this.value(`stablehlo.slice ${x.name} ${ranges} : (${typeOf(x)}) -> ${type}`, shape, x.dtype);
  }

  /** Pads with zeros, or false. */
  pad(x: Value, before: Shape, after: Shape): Value {
    const shape = x.shape.map((size, axis) => before[axis]! + size + after[axis]!);
    if (sameShape(shape, x.shape)) return x;
    const zero = this.scalar(0, x.dtype as DType);
    const where = `low = ${listOf(before)}, high = ${listOf(after)}, interior = ${listOf(x.shape.map(() => 0))}`;
    const types = `(${typeOf(x)}, ${typeOf(zero)}) -> ${typeOf({ shape, dtype: x.dtype })}`;
    return this.value(`stablehlo.pad ${x.name}, ${zero.name}, ${where} : ${types}`, shape, x.dtype);
  }

  /** Writes a block into a tensor at the given positions, int32 scalars. */
  updateSlice(x: Value, block: Value, starts: readonly Value[]): Value {
    const operands = [x, block, ...starts];
    const names = operands.map(({ name }) => name).join(', ');
    const text = `stablehlo.dynamic_update_slice ${names} : (${operands.map(typeOf).join(', ')}) -> ${typeOf(x)}`;
    return this.value(text, x.shape, x.dtype);
  }

  /** Writes a block into a tensor, at a position along one axis. */
  updateAlong(x: Value, axis: number, block: Value, position: Value): Value {
    const zero = this.scalar(0, 'int32');
    return this.updateSlice(
      x,
      block,
      x.shape.map((_, i) => (i === axis ? position : zero)),
    );
  }

  reduce(
    name: Combination,
    x: Value,
    axes: readonly number[],
    { start, keep }: { start: number; keep: boolean },
  ): Value {
    const shape = x.shape.filter((_, axis) => !axes.includes(axis));
    const initial = this.scalar(start, x.dtype as DType);
    const types = `(${typeOf(x)}, ${typeOf(initial)}) -> ${typeOf({ shape, dtype: x.dtype })}`;
    const text = `stablehlo.reduce(${x.name} init: ${initial.name}) applies stablehlo.${name} across dimensions = ${listOf(axes)} : ${types}`;
    const reduced = this.value(text, shape, x.dtype);
    const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    return keep ? this.reshape(reduced, kept) : reduced;
  }

  /** Sums over the last axis. */
  sumLast(x: Value, keep: boolean): Value {
    return this.reduce('add', x, [x.shape.length - 1], { start: 0, keep });
  }

  /** Computes the maximum over the last axis, which is kept. */
  maxLast(x: Value): Value {
    return this.reduce('maximum', x, [x.shape.length - 1], { start: -Infinity, keep: true });
  }

  /** Replaces the padding of the given axes, if they are dynamic. What follows may then combine the elements along these axes. */
  masked(x: Value, axes: readonly number[], padding: number): Value {
    return axes.reduce((value, axis) => {
      const size = x.sizes.get(axis);
      if (!size) return value;
      const isInside = this.compare('LT', this.iota(x.shape, axis), this.size(size));
      return this.select(isInside, value, this.scalar(padding, x.dtype as DType));
    }, x);
  }

  concatenate(parts: readonly Value[], axis: number): Value {
    const [first] = parts as readonly [Value];
    const length = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
    const shape = first.shape.map((size, i) => (i === axis ? length : size));
    const types = `(${parts.map(typeOf).join(', ')}) -> ${typeOf({ shape, dtype: first.dtype })}`;
    const names = parts.map(({ name }) => name).join(', ');
    return this.value(`stablehlo.concatenate ${names}, dim = ${axis} : ${types}`, shape, first.dtype);
  }

  /** Adds updates to a tensor at indices, as the dimension numbers say. */
  scatterAdd(x: Value, indices: Value, updates: Value, numbers: string): Value {
    const operands = [x, indices, updates];
    const names = operands.map(({ name }) => name).join(', ');
    const attributes = `{scatter_dimension_numbers = #stablehlo.scatter<${numbers}>, indices_are_sorted = false, unique_indices = false}`;
    const types = `(${operands.map(typeOf).join(', ')}) -> ${typeOf(x)}`;
    const text = `"stablehlo.scatter"(${names}) (${this.combining('add', x.dtype)}) ${attributes} : ${types}`;
    return this.value(text, x.shape, x.dtype);
  }

  /** Returns a region that combines two scalars, in the generic syntax. */
  combining(combination: Combination, dtype: ElementType): string {
    const [a, b, result] = [this.fresh(), this.fresh(), this.fresh()];
    const type = typeOf({ shape: [], dtype });
    return `{ ^bb0(${a}: ${type}, ${b}: ${type}): ${result} = stablehlo.${combination} ${a}, ${b} : ${type} stablehlo.return ${result} : ${type} }`;
  }

  /** Concatenates two tensors along an axis that may be dynamic: the second one starts where the first one ends. */
  append(a: Value, b: Value, axis: number): Value {
    const added = a.shape.map((_, i) => (i === axis ? b.shape[axis]! : 0));
    const none = added.map(() => 0);
    const whole = this.updateAlong(this.pad(a, none, added), axis, b, this.size(sizeOfAxis(a, axis)));
    return { ...whole, sizes: new Map([[axis, addSizes([sizeOfAxis(a, axis), sizeOfAxis(b, axis)])]]) };
  }
}

/** Returns the elements of a constant in the syntax of MLIR. */
function elements({ dtype, shape, data }: TensorData): string {
  if (data.length === 0) return '';
  const first = data[0]!;
  if (data.every((element) => Object.is(element, first))) return element(first, dtype);
  if (dtype === 'bool') return nested(shape, data);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `"0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')}"`;
}

function element(value: number, dtype: DType): string {
  if (dtype === 'bool') return value ? 'true' : 'false';
  if (dtype === 'int32') return String(value);
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value).replace(/^(-?\d+)(?=e|$)/, '$1.0');
  // Other numbers have no decimal form.
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return `0x${bits.toString(16).toUpperCase().padStart(8, '0')}`;
}

/** Booleans as nested lists: as bytes, MLIR would pack eight into one. */
function nested(shape: Shape, data: TensorData['data']): string {
  if (shape.length === 0) return element(data[0]!, 'bool');
  const size = sizeOf(shape.slice(1));
  return listOf(
    Array.from({ length: shape[0]! }, (_, i) => nested(shape.slice(1), data.subarray(i * size, (i + 1) * size))),
  );
}
