import { PbfWriter } from 'pbf';
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

/** The domain of ONNX Runtime's own operators. */
export const microsoft = 'com.microsoft';

export type Attribute = number | string | readonly number[] | { readonly graph: Uint8Array };
/** An attribute given as a bare number is an integer; a float is wrapped. */
export type Attributes = Readonly<Record<string, Attribute | { readonly float: number }>>;

/** The wire type of messages, texts and bytes. */
const lengthDelimited = 2;

/** What all messages are written with: memory of its own for each took longer than to write them. */
const scratch = new PbfWriter();

/** The bytes of a message. Those inside of it are its writer's to write. */
function message(write: (writer: PbfWriter) => void): Uint8Array {
  scratch.pos = 0;
  write(scratch);
  return scratch.buf.slice(0, scratch.pos);
}

/** Writes a message inside another. */
const inside = (writer: PbfWriter, field: number, write: (writer: PbfWriter) => void) =>
  writer.writeMessage(field, (_, inner) => write(inner), undefined);

/** NodeProto. */
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
  message((writer) => {
    writer.writeTag(field, lengthDelimited);
    writer.writeVarint(lengthOf(chunks));
  }),
  ...chunks,
];

/** TensorProto that holds its values. */
export function tensor(name: string, type: number, shape: Shape, bytes: Uint8Array): Chunks {
  return [message((writer) => tensorHeader(writer, name, type, shape)), ...nested(9, [bytes])];
}

/** TensorProto whose values stand in another file. */
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

/** ValueInfoProto: the name, type and shape of an input or an output. Along the axis `free`, it may have any size. */
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

/** GraphProto. */
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

/** ModelProto, of the given versions of operator sets by domain. */
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
