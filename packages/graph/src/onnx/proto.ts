import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { DType, Shape } from '../tensor.js';

/** The parts of ONNX's protocol buffers that a graph is emitted in; field numbers are those of onnx.proto. */

/** Element types of `TensorProto.DataType`. */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  uint32: 12,
} as const satisfies Record<DType, number> & Record<string, number>;

export type Attribute = number | bigint | string | readonly number[] | { readonly graph: Uint8Array };
/** An attribute given as a bare number is an integer; a float is wrapped. */
export type Attributes = Readonly<Record<string, Attribute | { readonly float: number }>>;

const message = (writer: BinaryWriter, field: number, bytes: Uint8Array) =>
  writer.tag(field, WireType.LengthDelimited).bytes(bytes);
const text = (writer: BinaryWriter, field: number, value: string) =>
  writer.tag(field, WireType.LengthDelimited).string(value);
const integer = (writer: BinaryWriter, field: number, value: number | bigint) =>
  writer.tag(field, WireType.Varint).int64(value);

/** NodeProto. */
export function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
  domain = '',
  name = '',
): Uint8Array {
  const writer = new BinaryWriter();
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  if (name) text(writer, 3, name);
  text(writer, 4, type);
  for (const [key, value] of Object.entries(attributes)) message(writer, 5, attribute(key, value));
  if (domain) text(writer, 7, domain);
  return writer.finish();
}

function attribute(name: string, value: Attributes[string]): Uint8Array {
  const writer = new BinaryWriter();
  text(writer, 1, name);
  const type = (code: number) => integer(writer, 20, code);
  if (typeof value === 'number' || typeof value === 'bigint') {
    integer(writer, 3, value);
    type(2);
  } else if (typeof value === 'string') {
    text(writer, 4, value);
    type(3);
  } else if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    type(1);
  } else if ('graph' in value) {
    message(writer, 6, value.graph);
    type(5);
  } else {
    for (const item of value) integer(writer, 8, item);
    type(7);
  }
  return writer.finish();
}

/** A long message in pieces that follow each other, so that weights are copied only once: when the model is joined. */
export type Chunks = readonly Uint8Array[];

/** The pieces as one. */
export function join(chunks: Chunks): Uint8Array {
  const bytes = new Uint8Array(lengthOf(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Their length together, in bytes. */
export const lengthOf = (chunks: Chunks): number => chunks.reduce((length, chunk) => length + chunk.length, 0);

/** A message inside another, in pieces. */
const nested = (field: number, chunks: Chunks): Chunks => [
  new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(lengthOf(chunks)).finish(),
  ...chunks,
];

/** TensorProto that holds its values. */
export function tensor(name: string, type: number, shape: Shape, bytes: Uint8Array): Chunks {
  return [tensorHeader(name, type, shape).finish(), ...nested(9, [bytes])];
}

/** TensorProto whose values stand in another file. */
export function externalTensor(
  name: string,
  type: number,
  shape: Shape,
  { file, offset }: { readonly file: string; readonly offset: number },
  length: number,
): Chunks {
  const writer = tensorHeader(name, type, shape);
  for (const [key, value] of Object.entries({ location: file, offset, length })) {
    const entry = new BinaryWriter();
    text(entry, 1, key);
    text(entry, 2, String(value));
    message(writer, 13, entry.finish());
  }
  integer(writer, 14, 1);
  return [writer.finish()];
}

function tensorHeader(name: string, type: number, shape: Shape): BinaryWriter {
  const writer = new BinaryWriter();
  for (const size of shape) integer(writer, 1, size);
  integer(writer, 2, type);
  text(writer, 8, name);
  return writer;
}

/** ValueInfoProto: the name, type and shape of an input or an output. Along the axis `free`, it may have any size. */
export function valueInfo(name: string, type: number, shape: Shape, free: readonly number[] = []): Uint8Array {
  const dimensions = new BinaryWriter();
  for (const [axis, size] of shape.entries()) {
    const dimension = new BinaryWriter();
    message(dimensions, 1, (free.includes(axis) ? dimension : integer(dimension, 1, size)).finish());
  }
  const tensorType = integer(new BinaryWriter(), 1, type);
  message(tensorType, 2, dimensions.finish());
  const writer = new BinaryWriter();
  text(writer, 1, name);
  message(writer, 2, message(new BinaryWriter(), 1, tensorType.finish()).finish());
  return writer.finish();
}

export interface GraphParts {
  readonly name: string;
  readonly nodes: readonly Uint8Array[];
  readonly initializers: readonly Chunks[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

/** GraphProto. */
export function graph(parts: GraphParts): Chunks {
  const before = new BinaryWriter();
  for (const bytes of parts.nodes) message(before, 1, bytes);
  text(before, 2, parts.name);
  const after = new BinaryWriter();
  for (const bytes of parts.inputs) message(after, 11, bytes);
  for (const bytes of parts.outputs) message(after, 12, bytes);
  return [before.finish(), ...parts.initializers.flatMap((chunks) => nested(5, chunks)), after.finish()];
}

/** ModelProto, of the given versions of operator sets by domain. */
export function model(graphChunks: Chunks, operatorSets: Readonly<Record<string, number>>, irVersion: number): Chunks {
  const before = new BinaryWriter();
  integer(before, 1, irVersion);
  text(before, 2, '@dalle-mini/graph');
  const after = new BinaryWriter();
  for (const [domain, version] of Object.entries(operatorSets)) {
    const set = new BinaryWriter();
    text(set, 1, domain);
    integer(set, 2, version);
    message(after, 8, set.finish());
  }
  return [before.finish(), ...nested(7, graphChunks), after.finish()];
}

/** The length of the largest message that protocol buffers allow. */
export const largestMessage = 2 ** 31 - 1;
