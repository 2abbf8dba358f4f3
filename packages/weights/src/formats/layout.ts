import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { listText } from '../errors/lists.js';
import { rowMajor } from '../tensors/axis-order.js';
import {
  BYTES_PER_ELEMENT,
  type Checkpoint,
  elementCount,
  type StoredDtype,
  type StoredTensor,
} from '../tensors/stored-tensor.js';

/** A format of checkpoint files: safetensors, `flax.serialization` in msgpack, or `torch.save`. */
export type CheckpointFormat = 'safetensors' | 'flax' | 'pytorch';

/** What a checkpoint file holds. */
export interface CheckpointFile {
  readonly format: CheckpointFormat;
  readonly tensors: Checkpoint;
  /**
   * Text by key. Of safetensors, the header's `__metadata__`; of the others, the numbers, flags and strings that stand among the
   * tensors or beside the state dict, such as `epoch`.
   */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes `begin` to `end` of a file, `end` excluded. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** Where a tensor lies in its file. */
export interface TensorPlace {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** The tensor's bytes are these, one after the other. */
  readonly ranges: readonly ByteRange[];
  /** Elements from one index of an axis to the next, where they do not lie in row-major order. */
  readonly strides?: readonly number[];
}

/** A file's structure, read and checked; its tensors are still to be loaded. */
export interface CheckpointLayout {
  readonly format: CheckpointFormat;
  readonly places: readonly TensorPlace[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** More than any model has. The limits keep a small file that repeats itself from filling the memory. */
export const MAX_ENTRIES = 100_000;
export const MAX_DEPTH = 64;
export const MAX_AXES = 64;
const MAX_NAME_LENGTH = 512;

/** Collects the tensors and texts of a file under names that are checked. */
export class LayoutBuilder {
  private readonly places = new Map<string, TensorPlace>();
  private readonly texts = new Map<string, string>();

  constructor(private readonly format: CheckpointFormat) {}

  /** @throws CheckpointError for a name, shape or number of tensors that is not sound. */
  tensor(place: TensorPlace): void {
    this.check(place.name, 'tensor');
    this.places.set(place.name, place);
  }

  /** @throws CheckpointError for a name or number of texts that is not sound. */
  text(name: string, value: string | number | bigint | boolean): void {
    this.check(name, 'metadata');
    this.texts.set(name, String(value));
  }

  /**
   * The layout, for a file of `fileSize` bytes.
   * @throws CheckpointError if the tensors overlap so much that they would take far more memory than the file.
   */
  finish(fileSize: number): CheckpointLayout {
    const places = [...this.places.values()];
    const distinct = new Set<string>();
    let bytes = 0;
    for (const { dtype, shape, ranges, strides } of places) {
      for (const { begin, end } of ranges) {
        const key = `${begin}-${end}`;
        if (!distinct.has(key)) bytes += end - begin;
        distinct.add(key);
      }
      if (strides !== undefined) bytes += elementCount(shape, 'A tensor') * BYTES_PER_ELEMENT[dtype];
    }
    if (bytes > 2 * fileSize) {
      throw new CheckpointError(
        `The file has ${fileSize} bytes, but its tensors overlap and would take ${bytes}; save clones of them: tensor.clone().`,
      );
    }
    return { format: this.format, places, metadata: Object.fromEntries(this.texts) };
  }

  private check(name: string, kind: 'tensor' | 'metadata'): void {
    checkName(name, kind);
    if (this.places.has(name) || this.texts.has(name)) {
      throw new CheckpointError(`The name ${quote(name)} appears twice; rename one, or fetch the file again.`);
    }
    if (this.places.size + this.texts.size >= MAX_ENTRIES) {
      throw tooManyEntries();
    }
  }
}

export function tooManyEntries(): CheckpointError {
  return new CheckpointError(`The file has more than ${MAX_ENTRIES} entries, past the limit; split it.`);
}

/**
 * The name of `key` within the container `parent`.
 * @throws CheckpointError if it is too long.
 */
export function joinName(parent: string, separator: '/' | '.', key: string): string {
  const name = parent === '' ? key : parent + separator + key;
  if (name.length > MAX_NAME_LENGTH) {
    throw new CheckpointError(
      `The name ${quote(name)} has ${name.length} characters, past the limit of ${MAX_NAME_LENGTH}; rename it.`,
    );
  }
  return name;
}

/**
 * Bytes that a tensor takes.
 * @throws CheckpointError if the shape has too many axes, an axis that is no size, or more elements than a file can hold.
 */
export function tensorBytes(dtype: StoredDtype, shape: readonly number[], what: string): number {
  if (shape.length > MAX_AXES) {
    throw new CheckpointError(`${what} has ${shape.length} axes, past the limit of ${MAX_AXES}; the file is corrupt.`);
  }
  const bytes = elementCount(shape, what) * BYTES_PER_ELEMENT[dtype];
  if (!Number.isSafeInteger(bytes)) {
    throw new CheckpointError(`${what} has shape ${listText(shape)}, more elements than any file can hold.`);
  }
  return bytes;
}

/** The tensors of a file in memory: views of `file` but for those that lie there in pieces or out of order. */
export function loadFromMemory(file: Uint8Array, { format, places, metadata }: CheckpointLayout): CheckpointFile {
  const tensors: Checkpoint = new Map();
  for (const place of places) {
    const parts = place.ranges.map(({ begin, end }) => file.subarray(begin, end));
    tensors.set(place.name, storedTensor(place, parts.length === 1 ? parts[0]! : concatenate(parts)));
  }
  return { format, tensors, metadata };
}

/** The tensor at `place`, of whose ranges `bytes` are the content. */
export function storedTensor({ dtype, shape, strides }: TensorPlace, bytes: Uint8Array): StoredTensor {
  if (strides === undefined) return { dtype, shape, bytes };
  return { dtype, shape, bytes: rowMajor(bytes, BYTES_PER_ELEMENT[dtype], shape, strides) };
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.byteLength;
  }
  return result;
}

/**
 * Whoever turns names into nested objects (`a.b.c`) must not reach an object's prototype, and a lone surrogate has no UTF-8.
 * @throws CheckpointError for such names.
 */
export function checkName(name: string, kind: 'tensor' | 'metadata'): void {
  if (/(^|[./])(__proto__|prototype|constructor)($|[./])/.test(name)) {
    throw new CheckpointError(
      `The ${kind} name ${quote(name)} contains a name of JavaScript's prototypes and is refused; rename it.`,
    );
  }
  if (name === '__metadata__') {
    throw new CheckpointError(`The ${kind} name "__metadata__" is reserved by safetensors; rename it.`);
  }
  if (/\p{Surrogate}/u.test(name)) {
    throw new CheckpointError(`The ${kind} name ${quote(name)} contains half of a surrogate pair; rename it.`);
  }
}
