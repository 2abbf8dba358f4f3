import { CheckpointError } from '../errors/checkpoint-error.js';
import { type ByteSource, memorySource } from './byte-source.js';
import { flaxLayout } from './flax/reader.js';
import { type CheckpointFile, type CheckpointLayout, loadFromMemory } from './layout.js';
import { legacyMagic, pytorchLegacyLayout, pytorchZipLayout } from './pytorch/reader.js';
import { safetensorsLayout } from './safetensors/reader.js';

/**
 * Reads a checkpoint from memory. The format is recognized by the content:
 *
 * - safetensors;
 * - Flax's msgpack (`flax_model.msgpack`);
 * - PyTorch's zip archive and its legacy format, with a state dict or a dict that has one under `state_dict`
 *   (Lightning's `.ckpt`).
 *
 * Code in a file is never run. The tensors are views of `bytes`, except transposed ones of PyTorch and arrays that Flax
 * split.
 *
 * @throws CheckpointError if the file has another format, or is truncated, inconsistent or hostile.
 *
 * @example
 * ```ts
 * import { fromFloat32, readCheckpoint, writeSafetensors } from '@dalle-mini/weights';
 *
 * const bytes = writeSafetensors(new Map([['bias', fromFloat32(Float32Array.of(1, 2), [2])]]));
 * console.log(readCheckpoint(bytes).tensors.get('bias')!.shape); // [ 2 ]
 * ```
 */
export function readCheckpoint(bytes: Uint8Array): CheckpointFile {
  return loadFromMemory(bytes, checkpointLayout(memorySource(bytes)));
}

/** Reads the layout of a checkpoint of any format. */
export function checkpointLayout(source: ByteSource): CheckpointLayout {
  const head = source.read(0, Math.min(headLength, source.size));
  // A safetensors header is shorter than 2³² bytes and begins with a brace. Files of the other formats have no brace at
  // this position.
  if (startsWith(head.subarray(4), [0, 0, 0, 0, 0x7b])) return safetensorsLayout(source);
  if (startsWith(head, [0x50, 0x4b, 3, 4]) || startsWith(head, [0x50, 0x4b, 5, 6])) return pytorchZipLayout(source);
  if (startsWith(head, legacyMagic)) return pytorchLegacyLayout(source);
  for (const [start, message] of mistakenFiles) {
    if (startsWith(head, typeof start === 'string' ? new TextEncoder().encode(start) : start)) {
      throw new CheckpointError(message);
    }
  }
  const first = head[0] ?? 0;
  // Maps of msgpack, short and long.
  if ((first & 0xf0) === 0x80 || first === 0xde || first === 0xdf) return flaxLayout(source);
  // A file that is too short, or a header that is wrong: this reader has the clearest errors.
  return safetensorsLayout(source);
}

const headLength = 32;

const webPage = 'The file is a web page, not a checkpoint. Download it from the address of the file itself.';
const pickle =
  'The file is a Python pickle that torch.save did not write. Load it in Python and save it as safetensors.';

/** Files that are often mistaken for checkpoints, by their first bytes. */
const mistakenFiles: readonly (readonly [start: string | readonly number[], message: string])[] = [
  [
    'version https://git-lfs',
    'The file is a Git LFS pointer, not a checkpoint. Download the file itself: git lfs pull.',
  ],
  ['<!DOCTYPE', webPage],
  ['<!doctype', webPage],
  ['<html', webPage],
  [[0x1f, 0x8b], 'The file is compressed with gzip. Unpack it, and pass the checkpoint in it.'],
  [[0x89, 0x48, 0x44, 0x46], 'The file is HDF5, a format of Keras. Convert it to safetensors.'],
  [[0x80, 2], pickle],
  [[0x80, 3], pickle],
  [[0x80, 4], pickle],
  [[0x80, 5], pickle],
];

function startsWith(bytes: Uint8Array, start: ArrayLike<number>): boolean {
  return bytes.byteLength >= start.length && Array.from(start).every((byte, i) => bytes[i] === byte);
}
