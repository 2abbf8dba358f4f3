import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../errors/checkpoint-error.js';
import { listText } from '../errors/lists.js';
import { rowMajor } from '../tensors/axis-order.js';
import {
  bytesPerElement,
  type Checkpoint,
  elementCount,
  type StoredDtype,
  type StoredTensor,
} from '../tensors/stored-tensor.js';

/** A format of checkpoint files: safetensors, `flax.serialization` in msgpack, or `torch.save`. */
export type CheckpointFormat = 'safetensors' | 'flax' | 'pytorch';

/** The content of a checkpoint file. */
export interface CheckpointFile {
  readonly format: CheckpointFormat;
  readonly tensors: Checkpoint;
  /**
   * Text by key. In safetensors, it is the header's `__metadata__`. In the other formats, it is the numbers, flags and
   * strings among the tensors or next to the state dict, such as `epoch`.
   */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * What the file has next to these tensors, by its first keys, such as `ema` and `optimizer` of a file of training. See
   * the option `which`.
   */
  readonly leftOut: readonly string[];
}

/** Bytes `begin` to `end` of a file, without `end`. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** The position of a tensor in its file. */
export interface TensorPlace {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** The bytes of the tensor, one range after the other. */
  readonly ranges: readonly ByteRange[];
  /** Elements from one index of each axis to the next, if the tensor is not row-major. */
  readonly strides?: readonly number[] | undefined;
}

/** The structure of a file, read and checked, without its tensors. */
export interface CheckpointLayout {
  readonly format: CheckpointFormat;
  readonly places: readonly TensorPlace[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly leftOut: readonly string[];
  /** Whether these are the tensors of an average that was under a key of its own. */
  readonly isAverage?: boolean | undefined;
}

/** More than any model has. The limits prevent a small file that repeats itself from filling the memory. */
export const maxEntries = 100_000;
export const maxDepth = 64;
export const maxAxes = 64;
const maxNameLength = 512;

/** Collects the tensors and texts of a file, and checks their names. */
export class LayoutBuilder {
  private readonly places = new Map<string, TensorPlace>();
  private readonly texts = new Map<string, string>();

  constructor(private readonly format: CheckpointFormat) {}

  /** @throws CheckpointError if the name is not allowed or not unique, or there are too many entries. */
  tensor(place: TensorPlace): void {
    this.check(place.name, 'tensor');
    this.places.set(place.name, place);
  }

  /** @throws CheckpointError if the name is not allowed or not unique, or there are too many entries. */
  text(name: string, value: string | number | bigint | boolean): void {
    this.check(name, 'metadata');
    this.texts.set(name, String(value));
  }

  /**
   * Returns the layout of a file of `fileSize` bytes.
   *
   * @throws CheckpointError if the tensors overlap and would take more than twice the memory of the file.
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
      if (strides !== undefined) bytes += elementCount(shape, 'A tensor') * bytesPerElement[dtype];
    }
    if (bytes > 2 * fileSize) {
      throw new CheckpointError(
        `The tensors overlap and would take ${bytes} bytes, but the file has ${fileSize}. Save clones of them: tensor.clone().`,
      );
    }
    return { format: this.format, places, metadata: Object.fromEntries(this.texts), leftOut: [] };
  }

  private check(name: string, kind: 'tensor' | 'metadata'): void {
    checkName(name, kind);
    if (this.places.has(name) || this.texts.has(name)) {
      throw new CheckpointError(`The name ${quote(name)} appears twice. Rename one, or download the file again.`);
    }
    if (this.places.size + this.texts.size >= maxEntries) {
      throw tooManyEntries();
    }
  }
}

export function tooManyEntries(): CheckpointError {
  return new CheckpointError(`The file must have at most ${maxEntries} entries. Split it.`);
}

/**
 * Returns the name of `key` within the container `parent`.
 *
 * @throws CheckpointError if it is too long.
 */
export function joinName(parent: string, separator: '/' | '.', key: string): string {
  const name = parent === '' ? key : parent + separator + key;
  if (name.length > maxNameLength) {
    throw new CheckpointError(
      `The name ${quote(name)} must have at most ${maxNameLength} characters, not ${name.length}. Rename it.`,
    );
  }
  return name;
}

/**
 * Returns the number of bytes of a tensor.
 *
 * @throws CheckpointError if the shape has too many axes, a size that is not a whole number, or more elements than a
 *   file can hold.
 */
export function tensorBytes(dtype: StoredDtype, shape: readonly number[], what: string): number {
  if (shape.length > maxAxes) {
    throw corrupt(`${what} must have at most ${maxAxes} axes, not ${shape.length}`);
  }
  const bytes = elementCount(shape, what) * bytesPerElement[dtype];
  if (!Number.isSafeInteger(bytes)) {
    throw new CheckpointError(
      `${what} has shape ${listText(shape)}, more elements than a file can have. Check the shape.`,
    );
  }
  return bytes;
}

/**
 * Returns the tensors of a file in memory: views of `file`, or copies of tensors that are in pieces or not row-major.
 */
export function loadFromMemory(
  file: Uint8Array,
  { format, places, metadata, leftOut }: CheckpointLayout,
): CheckpointFile {
  const tensors: Checkpoint = new Map();
  for (const place of places) {
    const parts = place.ranges.map(({ begin, end }) => file.subarray(begin, end));
    tensors.set(place.name, storedTensor(place, parts.length === 1 ? parts[0]! : concatenate(parts)));
  }
  return { format, tensors, metadata, leftOut };
}

/** Returns the tensor at `place`, from the bytes of its ranges. */
export function storedTensor({ dtype, shape, strides }: TensorPlace, bytes: Uint8Array): StoredTensor {
  if (strides === undefined) return { dtype, shape, bytes };
  return { dtype, shape, bytes: rowMajor(bytes, bytesPerElement[dtype], shape, strides) };
}

/** Joins byte arrays. */
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
 * Checks that a name does not reach the prototype of an object when it is turned into nested objects (`a.b.c`), is not
 * reserved, and has an encoding in UTF-8.
 *
 * @throws CheckpointError
 */
export function checkName(name: string, kind: 'tensor' | 'metadata'): void {
  if (/(^|[./])(__proto__|prototype|constructor)($|[./])/.test(name)) {
    throw new CheckpointError(
      `The ${kind} name ${quote(name)} must not contain __proto__, prototype or constructor. Rename it.`,
    );
  }
  if (name === '__metadata__') {
    throw new CheckpointError(`The ${kind} name "__metadata__" is reserved by safetensors. Rename it.`);
  }
  if (/\p{Surrogate}/u.test(name)) {
    throw new CheckpointError(`The ${kind} name ${quote(name)} must not contain half of a surrogate pair. Rename it.`);
  }
}
