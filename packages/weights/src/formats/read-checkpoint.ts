import { object, oneOf, optional, readOptions } from '@dalle-mini/core';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { type ByteSource, memorySource } from './byte-source.js';
import { flaxLayout } from './flax/reader.js';
import { type CheckpointFile, type CheckpointLayout, loadFromMemory } from './layout.js';
import { mistakenFile, startsWith } from './mistaken-files.js';
import { isPytorchLegacy, pytorchLegacyLayout, pytorchZipLayout } from './pytorch/reader.js';
import { safetensorsLayout } from './safetensors/reader.js';
import { firstKey, selectWeights, type WhichWeights } from './which.js';

/** Which tensors of a checkpoint are read. */
export interface ReadOptions {
  /**
   * The weights of the model, or their exponential moving average (EMA), of a file that has both: of
   * `{ model, ema, optimizer }` as training programs save it, or of a Lightning file with `model_ema.*`. Default: all
   * tensors of safetensors and Flax; of PyTorch's files the model, or the average if there is nothing else.
   */
  readonly which?: WhichWeights | undefined;
}

/** A field of options: which weights of a file of training are read. */
export const whichField = optional(oneOf<WhichWeights>(['model', 'ema']));

const readFields = object<ReadOptions>({ which: whichField });

/** Checks options. */
export const readReadOptions = (options: ReadOptions, what: string): ReadOptions =>
  readOptions(readFields, options, what);

/**
 * Reads a checkpoint from memory. The format is recognized by the content:
 *
 * - safetensors;
 * - Flax's msgpack (`flax_model.msgpack`);
 * - PyTorch's zip archive, TorchScript's, and PyTorch's legacy format of all pickle protocols: a state dict, or what
 *   training programs save, such as `{ model, ema, optimizer, args }` or Lightning's `.ckpt`.
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
export function readCheckpoint(bytes: Uint8Array, options: ReadOptions = {}): CheckpointFile {
  const { which } = readReadOptions(options, 'readCheckpoint');
  return loadFromMemory(bytes, checkpointLayout(memorySource(bytes), which));
}

/** Reads the layout of a checkpoint of any format. */
export function checkpointLayout(source: ByteSource, which?: WhichWeights): CheckpointLayout {
  const layout = wholeLayout(source, which);
  if (which === undefined || layout.isAverage) return layout;
  const places = new Map(layout.places.map((place) => [place.name, place]));
  const selected = selectWeights(places.keys(), which);
  const kept = new Set(selected.values());
  return {
    ...layout,
    places: [...selected].map(([name, stored]) => ({ ...places.get(stored)!, name })),
    leftOut: [...layout.leftOut, ...new Set([...places.keys()].filter((name) => !kept.has(name)).map(firstKey))],
  };
}

function wholeLayout(source: ByteSource, which: WhichWeights | undefined): CheckpointLayout {
  const head = source.read(0, Math.min(headLength, source.size));
  if (head.byteLength === 0) {
    throw new CheckpointError('The file is empty (0 bytes, too few for a checkpoint). Download it again.');
  }
  // A safetensors header is shorter than 2³² bytes and begins with a brace. Files of the other formats have no brace at
  // this position.
  if (startsWith(head.subarray(4), [0, 0, 0, 0, 0x7b])) return safetensorsLayout(source);
  if (startsWith(head, [0x50, 0x4b, 3, 4]) || startsWith(head, [0x50, 0x4b, 5, 6])) {
    return pytorchZipLayout(source, which);
  }
  if (isPytorchLegacy(head)) return pytorchLegacyLayout(source, which);
  const mistaken = mistakenFile(head);
  if (mistaken !== undefined) throw new CheckpointError(mistaken);
  const first = head[0]!;
  // Maps of msgpack, short and long.
  if ((first & 0xf0) === 0x80 || first === 0xde || first === 0xdf) return flaxLayout(source);
  // A file that is too short, or a header that is wrong: this reader has the clearest errors.
  return safetensorsLayout(source);
}

/** Room for the mark of tar archives. */
const headLength = 512;
