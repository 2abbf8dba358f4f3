import { integer, object, optional, quote, readOptions } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { bytesPerElement, checkTensor, type StoredDtype, type StoredTensor } from '../../tensors/stored-tensor.js';
import { checkName, concatenate, joinName, maxDepth } from '../layout.js';
import { arrayExtension, chunkedKey, numpyDtypes } from './format.js';

/** The largest array, in bytes, that Flax does not split. */
const flaxChunkBytes = 2 ** 30;

/**
 * Writes tensors for `flax.serialization.msgpack_restore` and `from_bytes`, and returns the bytes of the file. `/` in a
 * name separates the keys of nested maps. Maps and tensors keep the order of `tensors`, so that the tensors of a file
 * that Flax wrote give the same file.
 *
 * @throws CheckpointError if there are no tensors, the bytes of a tensor do not agree with its dtype and shape, or a
 *   name is both a tensor and a map of tensors; OptionError.
 */
export function writeFlaxMsgpack(
  tensors: ReadonlyMap<string, StoredTensor>,
  options: FlaxWriteOptions = {},
): Uint8Array {
  return concatenate(flaxParts(tensors, readOptions(flaxWriteFields, options, 'writeFlaxMsgpack')));
}

export interface FlaxWriteOptions {
  /** Arrays of more bytes are split, 8 to 2³⁰. Default 2³⁰, as in Flax. */
  readonly chunkBytes?: number | undefined;
}

export const flaxWriteFields = object<FlaxWriteOptions>({
  chunkBytes: optional(integer({ min: 8, max: flaxChunkBytes })),
});

/** Tensors by key, nested. */
type Tree = Map<string, StoredTensor | Tree>;

/** Returns the file of {@link writeFlaxMsgpack} in parts. */
export function flaxParts(
  tensors: ReadonlyMap<string, StoredTensor>,
  { chunkBytes = flaxChunkBytes }: FlaxWriteOptions,
): Uint8Array[] {
  if (tensors.size === 0) throw new CheckpointError('There are no tensors to write. Pass at least one.');
  const writer = new FlaxWriter(chunkBytes);
  writer.map(tree(tensors));
  return writer.finish();
}

function tree(tensors: ReadonlyMap<string, StoredTensor>): Tree {
  const root: Tree = new Map();
  for (const [name, tensor] of tensors) {
    checkName(joinName('', '/', name), 'tensor');
    checkTensor(tensor, `Tensor ${quote(name)}`);
    const keys = name.split('/');
    const last = keys.pop()!;
    if (keys.length >= maxDepth - 1) {
      throw new CheckpointError(`The name ${quote(name)} must have at most ${maxDepth - 1} parts. Rename it.`);
    }
    let folder = root;
    for (const key of keys) {
      const child = folder.get(key) ?? new Map();
      if (!(child instanceof Map)) throw taken(name);
      folder.set(key, child);
      folder = child;
    }
    if (folder.has(last)) throw taken(name);
    folder.set(last, tensor);
  }
  return root;
}

function taken(name: string): CheckpointError {
  return new CheckpointError(
    `The path of ${quote(name)} is both a tensor and a map of tensors, which Flax cannot store. Rename one.`,
  );
}

class FlaxWriter {
  private readonly parts: Uint8Array[] = [];
  /** Bytes between those of two tensors. */
  private pending: number[] = [];

  constructor(private readonly chunkBytes: number) {}

  finish(): Uint8Array[] {
    this.flush();
    return this.parts;
  }

  map(entries: Tree): void {
    this.mapHeader(entries.size);
    for (const [key, value] of entries) {
      this.text(key);
      if (value instanceof Map) this.map(value);
      else if (value.bytes.byteLength > this.chunkBytes) this.chunkedArray(value);
      else this.array(value);
    }
  }

  private chunkedArray({ dtype, shape, bytes }: StoredTensor): void {
    const size = bytesPerElement[dtype];
    const elements = Math.floor(this.chunkBytes / size);
    const count = Math.ceil(bytes.byteLength / (elements * size));
    this.mapHeader(3);
    this.text(chunkedKey);
    this.pending.push(0xc3);
    this.text('shape');
    this.mapHeader(shape.length);
    shape.forEach((axis, i) => {
      this.text(String(i));
      this.integer(axis);
    });
    this.text('chunks');
    this.mapHeader(count);
    for (let i = 0; i < count; i++) {
      const part = bytes.subarray(i * elements * size, (i + 1) * elements * size);
      this.text(String(i));
      this.array({ dtype, shape: [part.byteLength / size], bytes: part });
    }
  }

  private array({ dtype, shape, bytes }: StoredTensor): void {
    const outer = this.pending;
    // The length of the extension comes before its content, so the head of the content is written first, to measure it.
    const head: number[] = [0x93];
    this.pending = head;
    this.length(shape.length, [0x90, 0x0f], [undefined, 0xdc, 0xdd]);
    for (const axis of shape) this.integer(axis);
    this.text(numpyNames.get(dtype)!);
    this.length(bytes.byteLength, undefined, [0xc4, 0xc5, 0xc6]);
    this.pending = outer;
    const length = head.length + bytes.byteLength;
    const fixed = [1, 2, 4, 8, 16].indexOf(length);
    if (fixed >= 0) this.pending.push(0xd4 + fixed);
    else this.length(length, undefined, [0xc7, 0xc8, 0xc9]);
    this.pending.push(arrayExtension, ...head);
    this.flush();
    this.parts.push(bytes);
  }

  private mapHeader(entries: number): void {
    this.length(entries, [0x80, 0x0f], [undefined, 0xde, 0xdf]);
  }

  private text(text: string): void {
    const utf8 = new TextEncoder().encode(text);
    this.length(utf8.byteLength, [0xa0, 0x1f], [0xd9, 0xda, 0xdb]);
    for (const byte of utf8) this.pending.push(byte);
  }

  private integer(value: number): void {
    if (value <= 0x7f) this.pending.push(value);
    else if (value <= 0xff) this.pending.push(0xcc, value);
    else if (value <= 0xffff) this.pending.push(0xcd, ...bigEndian(value, 2));
    else if (value <= 0xffffffff) this.pending.push(0xce, ...bigEndian(value, 4));
    else this.pending.push(0xcf, ...bigEndian(value, 8));
  }

  /**
   * Writes a length in the shortest form: in the bits of the type, up to the mask `fixed[1]`, or in 1, 2 or 4 bytes
   * after the type.
   */
  private length(
    length: number,
    fixed: readonly [type: number, mask: number] | undefined,
    [one, two, four]: readonly [one: number | undefined, two: number, four: number],
  ): void {
    if (fixed !== undefined && length <= fixed[1]) this.pending.push(fixed[0] | length);
    else if (one !== undefined && length <= 0xff) this.pending.push(one, length);
    else if (length <= 0xffff) this.pending.push(two, ...bigEndian(length, 2));
    else this.pending.push(four, ...bigEndian(length, 4));
  }

  private flush(): void {
    if (this.pending.length > 0) this.parts.push(Uint8Array.from(this.pending));
    this.pending = [];
  }
}

const numpyNames: ReadonlyMap<StoredDtype, string> = new Map(
  Object.entries(numpyDtypes).map(([name, dtype]) => [dtype, name]),
);

function bigEndian(value: number, width: 2 | 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value));
  return new Uint8Array(view.buffer, 8 - width);
}
