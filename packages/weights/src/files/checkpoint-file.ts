import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { quote, readOptions } from '@dalle-mini/core';
import { openFile, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';
import { CheckpointError } from '../errors/checkpoint-error.js';
import type { ByteSource } from '../formats/byte-source.js';
import { type FlaxWriteOptions, flaxParts, flaxWriteFields } from '../formats/flax/writer.js';
import {
  type ByteRange,
  type CheckpointFile,
  type CheckpointLayout,
  storedTensor,
  type TensorPlace,
} from '../formats/layout.js';
import { checkpointLayout, type ReadOptions, readReadOptions } from '../formats/read-checkpoint.js';
import {
  type SafetensorsWriteOptions,
  safetensorsParts,
  safetensorsWriteFields,
} from '../formats/safetensors/writer.js';
import { selectWeights, type WhichWeights } from '../formats/which.js';
import type { Checkpoint, StoredDtype, StoredTensor } from '../tensors/stored-tensor.js';
import { isIndex, readIndex } from './shards.js';

/** Bytes of one call of the system, which takes less than 2 GiB. */
const chunk = 2 ** 26;

/**
 * Reads a checkpoint file of any size, in any format of `readCheckpoint`. The format is recognized by the content, not
 * by the name. Each tensor has its own memory; tied tensors share it. Memory is reserved after the structure of the
 * file is checked against its size. No tensor is in memory twice, except one at a time that PyTorch stored transposed.
 *
 * A checkpoint in several files is read by the path of its index, such as `model.safetensors.index.json`.
 *
 * @throws FileError if a file cannot be read; CheckpointError, with the path in its message, if it is damaged, or if the
 *   files do not have the tensors of the index; OptionError.
 *
 * @example
 * ```ts
 * import { readCheckpointFile } from '@dalle-mini/weights/node';
 *
 * const { format, tensors } = await readCheckpointFile('model/decoder/model.safetensors');
 * for (const [name, { dtype, shape }] of tensors) console.log(name, dtype, shape);
 * console.log(format); // safetensors
 * ```
 */
export async function readCheckpointFile(path: string, options: ReadOptions = {}): Promise<CheckpointFile> {
  const { which } = readReadOptions(options, 'readCheckpointFile');
  if (!isIndex(path)) return withCheckpoint(path, which, readTensors);
  const shards = await readIndex(
    path,
    (file) => withCheckpoint(file, undefined, readTensors),
    ({ tensors }) => tensors,
  );
  const [first] = shards;
  const tensors = new Map(shards.flatMap((shard) => [...shard.tensors]));
  const all = <Field extends keyof CheckpointFile>(field: Field) => shards.map((shard) => shard[field]);
  return {
    format: first!.format,
    tensors: await named(path, async () => selected(tensors, which)),
    metadata: Object.assign({}, ...all('metadata')),
    leftOut: [...new Set(all('leftOut').flat())],
  };
}

/** Opens a checkpoint file for `use`, and names it in errors. */
async function withCheckpoint<Result>(
  path: string,
  which: WhichWeights | undefined,
  use: (layout: CheckpointLayout, file: FileHandle, size: number) => Promise<Result>,
): Promise<Result> {
  return withFileErrors('read', path, async () => {
    const file = await openFile(path);
    try {
      const { size } = await file.stat();
      return await named(path, () => use(checkpointLayout(fileSource(file, size), which), file, size));
    } finally {
      await file.close();
    }
  });
}

/** Runs work on a file, and names the file in errors about its content. */
async function named<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof CheckpointError ? new CheckpointError(`${path}: ${error.message}`, { cause: error }) : error;
  }
}

/** Returns the tensors of the model, or of its average; by default all. */
function selected<Tensor>(tensors: Map<string, Tensor>, which: WhichWeights | undefined): Map<string, Tensor> {
  if (which === undefined) return tensors;
  const names = selectWeights(tensors.keys(), which);
  return new Map([...names].map(([name, stored]) => [name, tensors.get(stored)!]));
}

/** The position of a tensor's values in a file: little-endian, row-major, in one piece. */
export interface TensorLocation {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly folder: string;
  /** The file's name in the folder. */
  readonly file: string;
  /** The first byte. */
  readonly offset: number;
}

/**
 * Reads the positions of the tensors of a checkpoint file, without their values. A tensor that is not in one piece or
 * not row-major, as PyTorch and Flax may store it, is left out. The file may be the index of a checkpoint in several
 * files.
 *
 * @throws FileError if the file cannot be read; CheckpointError, with the path in its message, if it is damaged.
 */
export async function locateTensors(path: string, options: ReadOptions = {}): Promise<Map<string, TensorLocation>> {
  const { which } = readReadOptions(options, 'locateTensors');
  if (!isIndex(path)) return locateIn(path, which);
  const shards = await readIndex(
    path,
    (file) => locateIn(file, undefined),
    (tensors) => tensors,
  );
  return named(path, async () => selected(new Map(shards.flatMap((tensors) => [...tensors])), which));
}

async function locateIn(path: string, which: WhichWeights | undefined): Promise<Map<string, TensorLocation>> {
  return withCheckpoint(path, which, async ({ places }) => {
    const [folder, file] = [resolve(dirname(path)), basename(path)];
    const located = new Map<string, TensorLocation>();
    for (const { name, dtype, shape, ranges, strides } of places) {
      const [range, ...others] = ranges;
      if (range && others.length === 0 && !strides)
        located.set(name, { dtype, shape, folder, file, offset: range.begin });
    }
    return located;
  });
}

async function readTensors(
  { format, places, metadata, leftOut }: CheckpointLayout,
  file: FileHandle,
  size: number,
): Promise<CheckpointFile> {
  const tensors: Checkpoint = new Map();
  // By position: tied tensors are read once.
  const read = new Map<string, Uint8Array>();
  for (const place of places) {
    const key = place.ranges.map(({ begin, end }) => `${begin}-${end}`).join();
    const bytes = read.get(key) ?? (await readRanges(file, size, place));
    // A tensor that is copied into another order is not kept in this one.
    if (place.strides === undefined) read.set(key, bytes);
    tensors.set(place.name, storedTensor(place, bytes));
  }
  return { format, tensors, metadata, leftOut };
}

/** Reads the structure of a file, which is small, synchronously. Its tensors are read asynchronously. */
function fileSource({ fd }: FileHandle, size: number): ByteSource {
  return {
    size,
    read(position, length) {
      const bytes = new Uint8Array(length);
      for (let filled = 0; filled < length; ) {
        const bytesRead = readSync(fd, bytes, filled, Math.min(chunk, length - filled), position + filled);
        if (bytesRead === 0) throw shrunk(position + filled, size);
        filled += bytesRead;
      }
      return bytes;
    },
  };
}

async function readRanges(file: FileHandle, size: number, { name, ranges }: TensorPlace): Promise<Uint8Array> {
  const bytes = reserve(name, ranges);
  let filled = 0;
  for (const { begin, end } of ranges) {
    for (let position = begin; position < end; ) {
      const { bytesRead } = await file.read(bytes, filled, Math.min(chunk, end - position), position);
      if (bytesRead === 0) throw shrunk(position, size);
      filled += bytesRead;
      position += bytesRead;
    }
  }
  return bytes;
}

function reserve(name: string, ranges: readonly ByteRange[]): Uint8Array {
  const length = ranges.reduce((sum, { begin, end }) => sum + end - begin, 0);
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CheckpointError(
      `Tensor ${quote(name)} takes ${length} bytes, more than this process can reserve. Free memory, or split the tensor.`,
      { cause },
    );
  }
}

function shrunk(position: number, size: number): CheckpointError {
  return new CheckpointError(`The file ended at byte ${position} of ${size} while it was read. Download it again.`);
}

/**
 * Writes a safetensors file, like `writeSafetensors` but without a copy of the tensors in memory, except the one that
 * is converted. A reader finds either the old file or the new one, whole.
 *
 * @throws FileError if the file cannot be written; CheckpointError if a tensor or a name is not allowed; OptionError.
 */
export async function writeCheckpointFile(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: SafetensorsWriteOptions = {},
): Promise<void> {
  await writeFileAtomically(
    path,
    safetensorsParts(tensors, metadata, readOptions(safetensorsWriteFields, options, 'writeCheckpointFile')),
  );
}

/**
 * Writes a Flax file, like `writeFlaxMsgpack` but without a copy of the tensors in memory. A reader finds either the
 * old file or the new one, whole.
 *
 * @throws FileError if the file cannot be written; CheckpointError if a tensor or a name is not allowed; OptionError.
 */
export async function writeFlaxCheckpointFile(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  options: FlaxWriteOptions = {},
): Promise<void> {
  await writeFileAtomically(path, flaxParts(tensors, readOptions(flaxWriteFields, options, 'writeFlaxCheckpointFile')));
}
