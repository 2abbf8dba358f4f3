import { PbfWriter } from 'pbf';
import type { DType, Shape } from '../tensor.js';

/** The ONNX protocol buffers that a graph is emitted in. The field numbers are those of onnx.proto. */

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

/** The domain of the operators of ONNX Runtime that are not in the ONNX standard. */
export const microsoft = 'com.microsoft';

export type Attribute = number | string | readonly number[] | { readonly graph: Uint8Array };
/** A plain number is an integer attribute; a float is wrapped in an object. */
export type Attributes = Readonly<Record<string, Attribute | { readonly float: number }>>;

/** The wire type of messages, strings and bytes. */
const lengthDelimited = 2;

/** Writer shared by all messages: a new buffer for each took longer than writing them. */
const scratch = new PbfWriter();

/** Returns the bytes of a message. Messages inside it are written by {@link inside}. */
function message(write: (writer: PbfWriter) => void): Uint8Array {
  scratch.pos = 0;
  write(scratch);
  return scratch.buf.slice(0, scratch.pos);
}

/** Writes a message inside another. */
const inside = (writer: PbfWriter, field: number, write: (writer: PbfWriter) => void) =>
  writer.writeMessage(field, (_, inner) => write(inner), undefined);

/** Returns a NodeProto. */
export function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
  domain = '',
  name = '',
): Uint8Array {
  return message((writer) => {
    for (const input of inputs) writer.writeStringField(1, input);
    for (const output of outputs) writer.writeStringField(2, output);
    if (name) writer.writeStringField(3, name);
    writer.writeStringField(4, type);
    for (const [key, value] of Object.entries(attributes)) inside(writer, 5, (inner) => attribute(inner, key, value));
    if (domain) writer.writeStringField(7, domain);
  });
}

function attribute(writer: PbfWriter, name: string, value: Attributes[string]): void {
  const type = (code: number) => writer.writeVarintField(20, code);
  writer.writeStringField(1, name);
  if (typeof value === 'number') {
    writer.writeVarintField(3, value);
    type(2);
  } else if (typeof value === 'string') {
    writer.writeStringField(4, value);
    type(3);
  } else if ('float' in value) {
    writer.writeFloatField(2, value.float);
    type(1);
  } else if ('graph' in value) {
    writer.writeBytesField(6, value.graph);
    type(5);
  } else {
    for (const item of value) writer.writeVarintField(8, item);
    type(7);
  }
}

/** A long message in consecutive pieces, so that weights are copied only once, when the model is joined. */
export type Chunks = readonly Uint8Array[];

/** Joins the pieces. */
export function join(chunks: Chunks): Uint8Array {
  const bytes = new Uint8Array(lengthOf(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Returns the total length of the pieces, in bytes. */
export const lengthOf = (chunks: Chunks): number => chunks.reduce((length, chunk) => length + chunk.length, 0);

/** Returns a field that contains a message, in pieces. */
const nested = (field: number, chunks: Chunks): Chunks => [
  message((writer) => {
    writer.writeTag(field, lengthDelimited);
    writer.writeVarint(lengthOf(chunks));
  }),
  ...chunks,
];

/** Returns a TensorProto that contains its values. */
export function tensor(name: string, type: number, shape: Shape, bytes: Uint8Array): Chunks {
  return [message((writer) => tensorHeader(writer, name, type, shape)), ...nested(9, [bytes])];
}

/** Returns a TensorProto whose values are in another file. */
export function externalTensor(
  name: string,
  type: number,
  shape: Shape,
  { file, offset }: { readonly file: string; readonly offset: number },
  length: number,
): Chunks {
  const bytes = message((writer) => {
    tensorHeader(writer, name, type, shape);
    for (const [key, value] of Object.entries({ location: file, offset, length })) {
      inside(writer, 13, (entry) => {
        entry.writeStringField(1, key);
        entry.writeStringField(2, String(value));
      });
    }
    writer.writeVarintField(14, 1);
  });
  return [bytes];
}

function tensorHeader(writer: PbfWriter, name: string, type: number, shape: Shape): void {
  for (const size of shape) writer.writeVarintField(1, size);
  writer.writeVarintField(2, type);
  writer.writeStringField(8, name);
}

/** Returns a ValueInfoProto: the name, type and shape of an input or an output. The axes `free` may have any size. */
export function valueInfo(name: string, type: number, shape: Shape, free: readonly number[] = []): Uint8Array {
  return message((writer) => {
    writer.writeStringField(1, name);
    inside(writer, 2, (typeProto) =>
      inside(typeProto, 1, (tensorType) => {
        tensorType.writeVarintField(1, type);
        inside(tensorType, 2, (shapeProto) => {
          for (const [axis, size] of shape.entries())
            inside(shapeProto, 1, (dimension) => {
              if (!free.includes(axis)) dimension.writeVarintField(1, size);
            });
        });
      }),
    );
  });
}

export interface GraphParts {
  readonly name: string;
  readonly nodes: readonly Uint8Array[];
  readonly initializers: readonly Chunks[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

/** Returns a GraphProto. */
export function graph(parts: GraphParts): Chunks {
  const before = message((writer) => {
    for (const bytes of parts.nodes) writer.writeBytesField(1, bytes);
    writer.writeStringField(2, parts.name);
  });
  const after = message((writer) => {
    for (const bytes of parts.inputs) writer.writeBytesField(11, bytes);
    for (const bytes of parts.outputs) writer.writeBytesField(12, bytes);
  });
  return [before, ...parts.initializers.flatMap((chunks) => nested(5, chunks)), after];
}

/** Returns a ModelProto, with the versions of the operator sets by domain. */
export function model(graphChunks: Chunks, operatorSets: Readonly<Record<string, number>>, irVersion: number): Chunks {
  const before = message((writer) => {
    writer.writeVarintField(1, irVersion);
    writer.writeStringField(2, '@dalle-mini/graph');
  });
  const after = message((writer) => {
    for (const [domain, version] of Object.entries(operatorSets)) {
      inside(writer, 8, (set) => {
        set.writeStringField(1, domain);
        set.writeVarintField(2, version);
      });
    }
  });
  return [before, ...nested(7, graphChunks), after];
}

/** The length of the largest message that protocol buffers allow. */
export const largestMessage = 2 ** 31 - 1;
