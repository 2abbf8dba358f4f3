import { PbfReader } from 'pbf';

/** Reads the parts of an emitted model that the tests check. The field numbers are those of onnx.proto. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly string[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  /** The graphs among its attributes, such as a loop's body. */
  readonly bodies: readonly OnnxGraph[];
}

/** The wire type of messages, strings and bytes. */
const lengthDelimited = 2;

/** Returns the fields of a message that are messages, strings or bytes, by number. */
function fields(bytes: Uint8Array): (number: number) => Uint8Array[] {
  const reader = new PbfReader(bytes);
  const found = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.length) {
    const tag = reader.readVarint();
    const [number, type] = [tag >> 3, tag & 7];
    if (type === lengthDelimited) found.set(number, [...(found.get(number) ?? []), reader.readBytes()]);
    else reader.skip(tag);
  }
  return (number) => found.get(number) ?? [];
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export function readModel(model: Uint8Array): OnnxGraph {
  return readGraph(fields(model)(7)[0]!);
}

function readGraph(bytes: Uint8Array): OnnxGraph {
  const graph = fields(bytes);
  const names = (field: number, nameField: number) => graph(field).map((item) => text(fields(item)(nameField)[0]!));
  const nodes = graph(1).map((item) => {
    const node = fields(item);
    const bodies = node(5).flatMap((attribute) => fields(attribute)(6).map(readGraph));
    return { type: text(node(4)[0]!), inputs: node(1).map(text), bodies };
  });
  return { nodes, initializers: names(5, 8), inputs: names(11, 1), outputs: names(12, 1) };
}
