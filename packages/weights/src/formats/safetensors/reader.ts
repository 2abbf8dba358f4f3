import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { listText } from '../../errors/lists.js';
import { BYTES_PER_ELEMENT, type Checkpoint, elementCount, type StoredDtype } from '../../tensors/stored-tensor.js';
import { type ByteSource, memorySource } from '../byte-source.js';
import { type ByteRange, type CheckpointLayout, checkName, loadFromMemory, type TensorPlace } from '../layout.js';
import { PREFIX_LENGTH, parseHeader } from './header.js';

/** The reference implementation refuses longer headers too. */
const MAX_HEADER_LENGTH = 100_000_000;

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Checkpoint;
  /** Free text by key, the header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file from memory. The tensors are views of `bytes`: nothing is copied, and nothing is reserved that the
 * file itself asks for.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile in any way.
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { tensors, metadata } = loadFromMemory(bytes, safetensorsLayout(memorySource(bytes)));
  return { tensors, metadata };
}

/**
 * Reads and checks where each tensor of a safetensors file lies, in the order of the file.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile in any way.
 */
export function safetensorsLayout(source: ByteSource): CheckpointLayout {
  const headerLength = readHeaderLength(source.read(0, Math.min(PREFIX_LENGTH, source.size)), source.size);
  return readHeader(source.read(PREFIX_LENGTH, headerLength), PREFIX_LENGTH + headerLength, source.size);
}

/**
 * The header's length, from the file's first 8 bytes.
 * @throws CheckpointError if a file of `fileLength` bytes cannot hold such a header.
 */
function readHeaderLength(prefix: Uint8Array, fileLength: number): number {
  if (fileLength < PREFIX_LENGTH) {
    throw new CheckpointError(
      `The file has ${fileLength} bytes, too few for a safetensors file; it is empty or truncated. Fetch it again.`,
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_LENGTH).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_LENGTH)) {
    throw new CheckpointError(
      `The file announces a header of ${length} bytes, past the limit of ${MAX_HEADER_LENGTH}; it is not a safetensors file.`,
    );
  }
  if (length > BigInt(fileLength - PREFIX_LENGTH)) {
    throw new CheckpointError(
      `The file announces a header of ${length} bytes but has ${fileLength - PREFIX_LENGTH} after the length; it is truncated. Fetch it again.`,
    );
  }
  return Number(length);
}

/**
 * Parses a header and checks it against the data, which reach from `dataStart` to `fileLength` and must be covered exactly.
 * @throws CheckpointError if any field is not what the format allows, or tensors overlap, leave gaps, or reach past the data.
 */
function readHeader(header: Uint8Array, dataStart: number, fileLength: number): CheckpointLayout {
  const dataLength = fileLength - dataStart;
  const places: SinglePlace[] = [];
  const metadata = parseHeader(header, (name, { dtype, shape, offsets }) => {
    const what = `Tensor ${quote(name)}`;
    checkName(name, 'tensor');
    if (!isStoredDtype(dtype)) {
      throw new CheckpointError(
        `${what} has dtype ${quote(dtype)}; this reader knows ${Object.keys(BYTES_PER_ELEMENT).join(', ')}. Convert the file to one of them.`,
      );
    }
    const size = elementCount(shape, what) * BYTES_PER_ELEMENT[dtype];
    const [begin, end] = offsets;
    if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end || end > dataLength) {
      throw new CheckpointError(
        `${what} has data_offsets ${listText(offsets)}, which is no [begin, end] within the ${dataLength} bytes of data; the file is truncated or corrupt.`,
      );
    }
    if (end - begin !== size) {
      throw new CheckpointError(
        `${what} spans ${end - begin} bytes, but ${dtype} of shape ${listText(shape)} takes ${size}; the file is corrupt.`,
      );
    }
    places.push({ name, dtype, shape, ranges: [{ begin: dataStart + begin, end: dataStart + end }] });
  });
  for (const key of metadata.keys()) checkName(key, 'metadata');
  places.sort(({ ranges: [a] }, { ranges: [b] }) => a.begin - b.begin || a.end - b.end);
  let covered = dataStart;
  for (const { name, ranges } of places) {
    const [{ begin, end }] = ranges;
    if (begin !== covered) {
      const fault = begin < covered ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new CheckpointError(
        `Tensor ${quote(name)} begins at byte ${begin - dataStart} of the data and ${fault}, which ends at ${covered - dataStart}; the file is corrupt.`,
      );
    }
    covered = end;
  }
  if (covered !== fileLength) {
    throw new CheckpointError(
      `The tensors end at byte ${covered - dataStart} of the data, but ${dataLength} bytes follow the header; the file is corrupt.`,
    );
  }
  return { format: 'safetensors', places, metadata: Object.fromEntries(metadata) };
}

/** The place of a tensor that lies in one piece, as all of this format do. */
interface SinglePlace extends TensorPlace {
  readonly ranges: readonly [ByteRange];
}

function isStoredDtype(dtype: string): dtype is StoredDtype {
  return Object.hasOwn(BYTES_PER_ELEMENT, dtype);
}
