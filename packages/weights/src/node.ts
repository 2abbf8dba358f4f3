import { randomUUID } from 'node:crypto';
import { readSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ByteSource } from './byte-source.js';
import { type Checkpoint, CheckpointError, type StoredTensor } from './checkpoint.js';
import { type FlaxWriteOptions, flaxParts } from './flax-msgpack.js';
import { type ByteRange, type CheckpointFile, storedTensor, type TensorPlace } from './layout.js';
import { checkpointLayout } from './read-checkpoint.js';
import { safetensorsParts } from './safetensors.js';

/** A file that cannot be read or written. The message names the file, the cause and the remedy; `cause` is the system's error. */
export class FileError extends Error {
  override readonly name = 'FileError';
  /** The system's code, such as `ENOENT`. */
  readonly code: string;
  readonly path: string;

  constructor(doing: 'read' | 'write', path: string, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? 'unknown';
    const remedy = REMEDIES[doing][code] ?? cause.message;
    super(`Cannot ${doing} ${path}: ${remedy}`, { cause });
    this.code = code;
    this.path = path;
  }
}

const REMEDIES: Record<'read' | 'write', Record<string, string>> = {
  read: {
    ENOENT: 'there is no such file. Check the path, or fetch the model first.',
    EISDIR: 'it is a folder. Pass the path of a file in it, such as model.safetensors.',
    EACCES: 'permission is denied. Give this user the right to read it.',
    EPERM: 'permission is denied. Give this user the right to read it.',
    ENOTDIR: 'a part of its path is a file where a folder is needed. Check the path.',
    EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
  },
  write: {
    ENOENT: 'its folder does not exist. Create the folder first.',
    EISDIR: 'it is a folder. Pass the path of a file.',
    EACCES: 'permission is denied. Give this user the right to write in the folder.',
    EPERM: 'permission is denied. Give this user the right to write in the folder.',
    EROFS: 'the file system is read-only. Choose another folder.',
    ENOSPC: 'the disk is full. Free some space; what stood at this path before is untouched.',
    EDQUOT: 'the disk quota is used up. Free some space; what stood at this path before is untouched.',
    ENOTDIR: 'a part of its path is a file where a folder is needed. Check the path.',
    EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
  },
};

/** Bytes for one call of the system, which takes less than 2 GiB. */
const CHUNK = 2 ** 26;

/**
 * Reads a checkpoint file of any size, in any format of `readCheckpoint`, which its content shows and not its name. Each
 * tensor has memory of its own, which is freed with the last reference to it; tied tensors share theirs. None is reserved before
 * the file's structure has been checked against its size, and none is held twice, but for one tensor at a time that PyTorch stored
 * transposed.
 * @throws FileError if the file cannot be read; CheckpointError, with the path in its message, if it is not a sound checkpoint.
 */
export async function readCheckpointFile(path: string): Promise<CheckpointFile> {
  try {
    const file = await open(path, 'r');
    try {
      return await readOpenCheckpoint(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw new CheckpointError(`${path}: ${error.message}`, { cause: error });
    throw isSystemError(error) ? new FileError('read', path, error) : error;
  }
}

async function readOpenCheckpoint(file: FileHandle): Promise<CheckpointFile> {
  const { size } = await file.stat();
  const { format, places, metadata } = checkpointLayout(fileSource(file, size));
  const tensors: Checkpoint = new Map();
  // By where they lie: tied tensors are read once.
  const read = new Map<string, Uint8Array>();
  for (const place of places) {
    const key = place.ranges.map(({ begin, end }) => `${begin}-${end}`).join();
    const bytes = read.get(key) ?? (await readRanges(file, size, place));
    // What is copied into another order is not kept besides.
    if (place.strides === undefined) read.set(key, bytes);
    tensors.set(place.name, storedTensor(place, bytes));
  }
  return { format, tensors, metadata };
}

/** The file's structure is little and read at once; its tensors are large and read without blocking. */
function fileSource({ fd }: FileHandle, size: number): ByteSource {
  return {
    size,
    read(position, length) {
      const bytes = new Uint8Array(length);
      for (let filled = 0; filled < length; ) {
        const bytesRead = readSync(fd, bytes, filled, Math.min(CHUNK, length - filled), position + filled);
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
      const { bytesRead } = await file.read(bytes, filled, Math.min(CHUNK, end - position), position);
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
      `Tensor ${JSON.stringify(name)} takes ${length} bytes, more than this process can reserve; free memory, or split the tensor.`,
      { cause },
    );
  }
}

function shrunk(position: number, size: number): CheckpointError {
  return new CheckpointError(`The file ended at byte ${position} of ${size} while it was read; fetch it again.`);
}

/**
 * Writes a safetensors file with {@link writeFileAtomically}, without a copy of the tensors in memory.
 * @throws FileError if the file cannot be written; CheckpointError if a tensor or a name is not sound.
 */
export async function writeCheckpointFile(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeParts(path, safetensorsParts(tensors, metadata));
}

/**
 * Writes the file of `writeFlaxMsgpack` with {@link writeFileAtomically}, without a copy of the tensors in memory.
 * @throws FileError if the file cannot be written; CheckpointError if a tensor or a name is not sound.
 */
export async function writeFlaxCheckpointFile(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  options: FlaxWriteOptions = {},
): Promise<void> {
  await writeParts(path, flaxParts(tensors, options));
}

/**
 * Writes a file so that a reader finds either the old content or the new one, whole, whatever happens in between: the bytes go
 * to a new file in the same folder, reach the disk, and take the name. On failure that file is removed.
 * A symbolic link at `path` is replaced, not followed.
 * @throws FileError if the file cannot be written.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  await writeParts(path, [bytes]);
}

async function writeParts(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const folder = dirname(resolve(path));
  // Not derived from the file's name, which may already be as long as a name can be.
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      for (const part of parts) await writeFully(file, part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // The first error says more than a failure to clean up after it.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw isSystemError(error) ? new FileError('write', path, error) : error;
  }
  await syncFolder(folder);
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, offset, Math.min(CHUNK, bytes.byteLength - offset));
    offset += bytesWritten;
  }
}

/**
 * Makes the new name itself survive a power cut. By now the file is in place and whole, so where a system cannot open or sync
 * folders (Windows, some network file systems) that is no failure.
 */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
