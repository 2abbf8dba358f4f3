import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../../errors/checkpoint-error.js';
import { listText } from '../../errors/lists.js';
import { bytesPerElement, type Checkpoint, elementCount, type StoredDtype } from '../../tensors/stored-tensor.js';
import { type ByteSource, memorySource } from '../byte-source.js';
import { type ByteRange, type CheckpointLayout, checkName, loadFromMemory, type TensorPlace } from '../layout.js';
import { parseHeader, prefixLength } from './header.js';

/** The limit of the reference implementation. */
const maxHeaderLength = 100_000_000;

/** The content of a safetensors file. */
export interface Safetensors {
  readonly tensors: Checkpoint;
  /** Text by key: the header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file from memory. The tensors are views of `bytes`: nothing is copied.
 *
 * @throws CheckpointError if the file is truncated, inconsistent or hostile.
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { tensors, metadata } = loadFromMemory(bytes, safetensorsLayout(memorySource(bytes)));
  return { tensors, metadata };
}

/**
 * Reads the layout of a safetensors file, in the order of the file, and checks it.
 *
 * @throws CheckpointError if the file is truncated, inconsistent or hostile.
 */
export function safetensorsLayout(source: ByteSource): CheckpointLayout {
  const headerLength = readHeaderLength(source.read(0, Math.min(prefixLength, source.size)), source.size);
  return readHeader(source.read(prefixLength, headerLength), prefixLength + headerLength, source.size);
}

/**
 * Reads the length of the header from the first 8 bytes of the file.
 *
 * @throws CheckpointError if a file of `fileLength` bytes cannot hold such a header.
 */
function readHeaderLength(prefix: Uint8Array, fileLength: number): number {
  if (fileLength < prefixLength) {
    throw new CheckpointError(
      `The file has ${fileLength} bytes, too few for a safetensors file. It is empty or truncated. Download it again.`,
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, prefixLength).getBigUint64(0, true);
  if (length > BigInt(maxHeaderLength)) {
    throw new CheckpointError(
      `The header must have at most ${maxHeaderLength} bytes, not ${length}. The file is not a safetensors file. Check the path.`,
    );
  }
  if (length > BigInt(fileLength - prefixLength)) {
    throw new CheckpointError(
      `The file announces a header of ${length} bytes but has ${fileLength - prefixLength} after the length. It is truncated. Download it again.`,
    );
  }
  return Number(length);
}

/**
 * Parses a header, and checks that its tensors cover the data from `dataStart` to `fileLength` exactly.
 *
 * @throws CheckpointError if the format does not allow a field, or tensors overlap, leave gaps, or reach past the data.
 */
function readHeader(header: Uint8Array, dataStart: number, fileLength: number): CheckpointLayout {
  const dataLength = fileLength - dataStart;
  const places: SinglePlace[] = [];
  const metadata = parseHeader(header, (name, { dtype, shape, offsets }) => {
    const what = `Tensor ${quote(name)}`;
    checkName(name, 'tensor');
    if (!isStoredDtype(dtype)) {
      throw new CheckpointError(
        `${what} must have one of the dtypes ${Object.keys(bytesPerElement).join(', ')}, not ${quote(dtype)}. Convert the tensor to one of them.`,
      );
    }
    const size = elementCount(shape, what) * bytesPerElement[dtype];
    const [begin, end] = offsets;
    if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end || end > dataLength) {
      throw new CheckpointError(
        `${what} has data_offsets ${listText(offsets)}, which is not a [begin, end] within the ${dataLength} bytes of data. The file is truncated or corrupt. Download it again.`,
      );
    }
    if (end - begin !== size) {
      throw corrupt(`${what} spans ${end - begin} bytes, but ${dtype} of shape ${listText(shape)} takes ${size}`);
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
      throw corrupt(
        `Tensor ${quote(name)} begins at byte ${begin - dataStart} of the data and ${fault}, which ends at ${covered - dataStart}`,
      );
    }
    covered = end;
  }
  if (covered !== fileLength) {
    throw corrupt(
      `The tensors end at byte ${covered - dataStart} of the data, but ${dataLength} bytes follow the header`,
    );
  }
  return { format: 'safetensors', places, metadata: Object.fromEntries(metadata), leftOut: [] };
}

/** The position of a tensor in one piece, as all tensors of this format are. */
interface SinglePlace extends TensorPlace {
  readonly ranges: readonly [ByteRange];
}

function isStoredDtype(dtype: string): dtype is StoredDtype {
  return Object.hasOwn(bytesPerElement, dtype);
}
