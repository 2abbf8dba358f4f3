import { CheckpointError } from '../errors/checkpoint-error.js';
import { type ByteSource, memorySource } from './byte-source.js';
import { flaxLayout } from './flax/reader.js';
import { type CheckpointFile, type CheckpointLayout, loadFromMemory } from './layout.js';
import { LEGACY_MAGIC, pytorchLegacyLayout, pytorchZipLayout } from './pytorch/reader.js';
import { safetensorsLayout } from './safetensors/reader.js';

/**
 * Reads a checkpoint from memory, whichever of these formats its content shows: safetensors; Flax's msgpack
 * (`flax_model.msgpack`); PyTorch's zip archive and its legacy format, with a state dict or, as in Lightning's `.ckpt`, a dict
 * that has one under `state_dict`. Nothing in a file is ever run.
 *
 * The tensors are views of `bytes`, but for transposed ones of PyTorch and for arrays that Flax split.
 * @throws CheckpointError if the file is of no such format, truncated, inconsistent or hostile in any way.
 */
export function readCheckpoint(bytes: Uint8Array): CheckpointFile {
  return loadFromMemory(bytes, checkpointLayout(memorySource(bytes)));
}

/** Where the tensors of a checkpoint lie, whichever its format. */
export function checkpointLayout(source: ByteSource): CheckpointLayout {
  const head = source.read(0, Math.min(HEAD_LENGTH, source.size));
  // A safetensors header is below 2³² bytes long and begins with a brace, which no file of the other formats has in this place.
  if (startsWith(head.subarray(4), [0, 0, 0, 0, 0x7b])) return safetensorsLayout(source);
  if (startsWith(head, [0x50, 0x4b, 3, 4]) || startsWith(head, [0x50, 0x4b, 5, 6])) return pytorchZipLayout(source);
  if (startsWith(head, LEGACY_MAGIC)) return pytorchLegacyLayout(source);
  for (const [start, message] of MISTAKEN) {
    if (startsWith(head, typeof start === 'string' ? new TextEncoder().encode(start) : start)) {
      throw new CheckpointError(message);
    }
  }
  const first = head[0] ?? 0;
  // Maps of msgpack, short and long.
  if ((first & 0xf0) === 0x80 || first === 0xde || first === 0xdf) return flaxLayout(source);
  // Files too short to tell, and headers that are not what they should be: this reader says it best.
  return safetensorsLayout(source);
}

const HEAD_LENGTH = 32;

const WEB_PAGE = 'The file is a web page, not a checkpoint. Fetch it from the address that downloads the file itself.';
const PICKLE =
  'The file is a Python pickle that torch.save did not write. Load it in Python and save it as safetensors.';

/** What is often found in a checkpoint's place, by its first bytes. */
const MISTAKEN: readonly (readonly [start: string | readonly number[], message: string])[] = [
  [
    'version https://git-lfs',
    'The file is a Git LFS pointer, text in the place of the checkpoint. Fetch the file itself: git lfs pull.',
  ],
  ['<!DOCTYPE', WEB_PAGE],
  ['<!doctype', WEB_PAGE],
  ['<html', WEB_PAGE],
  [[0x1f, 0x8b], 'The file is compressed with gzip. Unpack it and pass the checkpoint that is in it.'],
  [[0x89, 0x48, 0x44, 0x46], 'The file is HDF5, as Keras writes. Convert it to safetensors.'],
  [[0x80, 2], PICKLE],
  [[0x80, 3], PICKLE],
  [[0x80, 4], PICKLE],
  [[0x80, 5], PICKLE],
];

function startsWith(bytes: Uint8Array, start: ArrayLike<number>): boolean {
  return bytes.byteLength >= start.length && Array.from(start).every((byte, i) => bytes[i] === byte);
}
