import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../../errors/checkpoint-error.js';
import { bytesPerElement } from '../../tensors/stored-tensor.js';
import { type ByteSource, Cursor, uint64 } from '../byte-source.js';
import type { ByteRange, CheckpointLayout } from '../layout.js';
import type { WhichWeights } from '../which.js';
import { type Storage, saveStateDict, torchNames } from './objects.js';
import { describe, PickleDict, unpickle } from './pickle.js';
import { get, stateDictLayout } from './state-dict.js';
import { zipEntries } from './zip.js';

/**
 * The files of `torch.save` (https://github.com/pytorch/pytorch, torch/serialization.py). A pickle describes the
 * objects and refers to storages by key. A storage is a flat array of one dtype, and a tensor is a view of a storage.
 * Since PyTorch 1.6 the file is a zip archive with the pickle in `data.pkl` and each storage in `data/KEY`. The legacy
 * format has the pickles first, then the storages. An archive of `torch.jit.save` has the same form, and code in `code/`
 * that is never read: its `data.pkl` holds the attributes of modules.
 */

/** The number that begins the legacy format. */
const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;

/** The pickle of that number, of protocols 2 to 5 after their first bytes, and of protocols 0 and 1. */
const binaryMagic = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const textMagic = new TextEncoder().encode(`L${legacyMagic}L\n.`);

/** Checks whether the first bytes of a file are those of the legacy format. */
export function isPytorchLegacy(head: Uint8Array): boolean {
  // Protocols 4 and 5 put the length of a frame before it.
  const start = head[0] === 0x80 ? (head[2] === 0x95 ? 11 : 2) : 0;
  const magic = start === 0 ? textMagic : binaryMagic;
  return magic.every((byte, i) => head[start + i] === byte);
}

const maxPickleLength = 2 ** 25;

/**
 * Reads the layout of a zip archive of `torch.save`, and checks it.
 * @throws CheckpointError if the archive or its pickle is truncated, inconsistent or hostile, or does not hold a state
 *   dict.
 */
export function pytorchZipLayout(source: ByteSource, which?: WhichWeights): CheckpointLayout {
  const entries = zipEntries(source);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new CheckpointError(
      `The file is a zip archive with ${pickles.length === 0 ? 'no' : 'more than one'} data.pkl, so torch.save did not write it. ` +
        'If it is an archive of a checkpoint, unpack it.',
    );
  }
  const folder = pickles[0]!.slice(0, -'data.pkl'.length);
  const byteOrder = entries.get(`${folder}byteorder`);
  if (byteOrder !== undefined) {
    const order = new Cursor(source, byteOrder.begin, byteOrder.end).text(Math.min(6, byteOrder.end - byteOrder.begin));
    if (order !== 'little') throw wrongByteOrder();
  }
  const { begin, end } = entries.get(pickles[0]!)!;
  if (end - begin > maxPickleLength) throw longPickle();
  const cursor = new Cursor(source, begin, end);
  const storages = new Map<string, Storage>();
  const unpickled = unpickle(cursor, torchNames(storages));
  if (cursor.position !== end) {
    throw corrupt(`${end - cursor.position} bytes follow the pickle in data.pkl`);
  }
  const ranges = new Map<string, ByteRange>();
  for (const { key, byteLength } of storages.values()) {
    const range = entries.get(`${folder}data/${key}`);
    if (range === undefined) {
      throw corrupt(`The zip archive lacks the storage ${quote(key)}`);
    }
    checkStorageSize(key, range, byteLength);
    ranges.set(key, range);
  }
  return stateDictLayout(unpickled, ranges, source.size, which);
}

/**
 * Reads the layout of a file of `torch.save` before 1.6, or with `_use_new_zipfile_serialization=False`, and checks it.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile, or does not hold a state dict.
 */
export function pytorchLegacyLayout(source: ByteSource, which?: WhichWeights): CheckpointLayout {
  const cursor = new Cursor(source, 0, Math.min(source.size, maxPickleLength));
  const storages = new Map<string, Storage>();
  const names = torchNames(storages);
  if (unpickle(cursor, names).value !== legacyMagic) throw corrupt('The file does not begin as torch.save writes it');
  const protocol = unpickle(cursor, names).value;
  if (protocol !== legacyProtocol) {
    throw new CheckpointError(
      `The protocol of the PyTorch file must be ${legacyProtocol}, not ${describe(protocol)}. Save the model again with a current PyTorch.`,
    );
  }
  const system = unpickle(cursor, names).value;
  if (!(system instanceof PickleDict) || get(system, 'little_endian') !== true) throw wrongByteOrder();
  const unpickled = unpickle(cursor, names);
  const keys = unpickle(cursor, names).value;
  if (!Array.isArray(keys)) {
    throw corrupt('The pickle is not followed by the list of storages');
  }
  // The storages follow without gaps. Each begins with its number of elements.
  const data = new Cursor(source, cursor.position);
  const ranges = new Map<string, ByteRange>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined || ranges.has(storage.key)) {
      throw corrupt(`The file lists a storage, ${describe(key)}, that no tensor uses, or lists it twice`);
    }
    const elements = uint64(data.view(8), 0, true, `The length of storage ${quote(storage.key)}`);
    const range = { begin: data.position, end: data.position + elements * bytesPerElement[storage.dtype] };
    checkStorageSize(storage.key, range, storage.byteLength);
    data.skip(storage.byteLength);
    ranges.set(storage.key, range);
  }
  if (ranges.size !== storages.size) {
    throw corrupt(`The file has ${ranges.size} storages, but its tensors need ${storages.size}`);
  }
  if (data.position !== data.end) {
    throw corrupt(`${data.end - data.position} bytes follow the last storage`);
  }
  return stateDictLayout(unpickled, ranges, source.size, which);
}

function checkStorageSize(key: string, { begin, end }: ByteRange, expected: number): void {
  if (end - begin !== expected) {
    throw new CheckpointError(
      `Storage ${quote(key)} has ${end - begin} bytes, but its tensors need ${expected}. The file is truncated or corrupt. Download it again.`,
    );
  }
}

function longPickle(): CheckpointError {
  return new CheckpointError(`The pickle must have at most ${maxPickleLength} bytes. ${saveStateDict}`);
}

function wrongByteOrder(): CheckpointError {
  return new CheckpointError('The file must be of a little-endian machine. Save it again on one.');
}
