import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  abortSignal,
  type TextEncoder as CaptionTextEncoder,
  callback,
  integer,
  object,
  oneOf,
  optional,
  type Progress,
  quote,
  readOptions,
  string,
} from '@dalle-mini/core';
import { writeFileAtomically, writeJsonFile } from '@dalle-mini/core/node';
import { fromFloat32 } from '@dalle-mini/weights';
import { DataError } from '../data-error.js';
import { foldersIn } from './archives-file.js';
import { type CaptionEncoder, captionEncoderOf } from './caption-encoder.js';
import { finishedIndex, sha256 } from './index-file.js';
import { readShard, type Shard } from './shard.js';
import {
  checkEncoder,
  readStatesIndex,
  type StatesIndex,
  type StatesLine,
  type StatesRecord,
  statesFormat,
  statesName,
} from './states-file.js';

export interface EncodeCaptionsOptions {
  /** What the encoder is called, such as its folder or hub name, for messages. */
  readonly name?: string | undefined;
  /** Captions per call of the encoder. Default 32. */
  readonly batchSize?: number | undefined;
  /**
   * `longest` pads captions to the longest one of a batch, which takes less time; `max_length`, to the same length always, is better where each
   * length is compiled anew, as by XLA. Default `longest`.
   */
  readonly padding?: 'longest' | 'max_length' | undefined;
  /** Stops the work: the promise rejects with the signal's reason. A later call continues after the last whole shard. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: CaptionsProgress) => unknown) | undefined;
}

/** Number of encoded captions of a shard, each counted once. */
export interface CaptionsProgress extends Progress {
  readonly stage: 'encode';
  readonly unit: 'captions';
}

const optionsField = object<EncodeCaptionsOptions>({
  name: optional(string()),
  batchSize: optional(integer({ min: 1, max: 4096 }), 32),
  padding: optional(oneOf(['longest', 'max_length']), 'longest'),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

/**
 * Encodes the captions of token shards by a text encoder that is not trained, and stores their hidden states beside the tokens, in 16 bits
 * (float16). Training reads them instead of running the encoder. A caption that several samples of a shard have is encoded once; the empty caption is
 * stored too, for training with caption dropout.
 *
 * A shard gets `<name>.states`, the hidden states `[rows, width]` of its captions without padding, little-endian, and `<name>.states.jsonl`,
 * a line a caption. `states.json`, written after each shard, lists them with the encoder. The same call again encodes only what is missing, and the
 * captions of shards that have changed.
 *
 * @param source The folder of `writeTokenShards`, or that of `encodeArchives` of `@dalle-mini/prepare`.
 * @throws DataError if the folder has no finished token shards, or states of another encoder, or if a number does not fit into 16 bits; OptionError if the
 *   encoder has no hidden states or no `fingerprint`; FileError if a file cannot be written; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { encodeCaptions, openTokenShards } from '@dalle-mini/data';
 * import { openTextEncoder } from '@dalle-mini/text-encoder/node';
 *
 * const encoder = await openTextEncoder('model/text-encoder', { maxLength: 24 });
 * await encodeCaptions('tokens', encoder); // written by writeTokenShards
 * await encoder.dispose();
 * const { hiddenStates } = await openTokenShards('tokens');
 * console.log(hiddenStates?.encoder, await hiddenStates?.get(0, ''));
 * ```
 */
export async function encodeCaptions(
  source: string,
  encoder: CaptionTextEncoder,
  options: EncodeCaptionsOptions = {},
): Promise<void> {
  const { name, ...given } = readOptions(optionsField, options, 'encodeCaptions');
  const identity = await captionEncoderOf(encoder, name);
  for (const folder of await foldersIn(source)) await encodeFolder(folder, encoder, identity, given);
}

async function encodeFolder(
  folder: string,
  encoder: CaptionTextEncoder,
  identity: CaptionEncoder,
  { batchSize = 32, padding, signal, onProgress }: EncodeCaptionsOptions,
): Promise<void> {
  const index = await finishedIndex(folder);
  const earlier = await readStatesIndex(folder);
  if (earlier) checkEncoder(folder, earlier, identity);
  const shards: StatesRecord[] = [];
  const save = () =>
    writeJsonFile(join(folder, statesName), {
      format: statesFormat,
      encoder: identity,
      shards,
    } satisfies StatesIndex);
  for (const [number, { name, captionsSha256 }] of index.shards.entries()) {
    const known = earlier?.shards[number];
    if (known?.captionsSha256 === captionsSha256) {
      shards.push(known);
      continue;
    }
    const captions = captionsOf(await readShard(folder, index, number, true));
    const path = join(folder, name);
    const lines: StatesLine[] = [];
    const hash = createHash('sha256');
    const encode = async function* () {
      for (let start = 0; start < captions.length; start += batchSize) {
        signal?.throwIfAborted();
        const batch = captions.slice(start, start + batchSize);
        const { hiddenStates, attentionMask, length, width } = await encoder.encode(batch, { padding, signal });
        for (const [i, caption] of batch.entries()) {
          const mask = attentionMask.subarray(i * length, (i + 1) * length);
          const tokens = mask.lastIndexOf(1) + 1;
          const own = hiddenStates.subarray(i * length * width, (i * length + tokens) * width);
          const bytes = toFloat16(own, caption);
          hash.update(bytes);
          yield bytes;
          lines.push({
            caption,
            tokens,
            ...(mask.subarray(0, tokens).includes(0) && { mask: [...mask.subarray(0, tokens)] }),
          });
        }
        await onProgress?.({ stage: 'encode', unit: 'captions', done: start + batch.length, total: captions.length });
      }
    };
    await writeFileAtomically(`${path}.states`, encode());
    const text = new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await writeFileAtomically(`${path}.states.jsonl`, text);
    shards.push({
      captionsSha256,
      captions: lines.length,
      rows: lines.reduce((sum, { tokens }) => sum + tokens, 0),
      statesSha256: hash.digest('hex'),
      linesSha256: sha256(text),
    });
    await save();
  }
  // What no shard has written: that there are fewer shards than before, or none.
  if (shards.length === 0 || shards.length < (earlier?.shards.length ?? 0)) await save();
}

/** Returns the different captions of a shard and the empty one, short ones first, so that those of a batch have about the same length. */
function captionsOf(shard: Shard): string[] {
  const captions = new Set(['']);
  for (let offset = 0; offset < shard.length; offset++)
    for (const caption of shard.describe(offset).captions) captions.add(caption);
  return [...captions].sort((a, b) => a.length - b.length);
}

function toFloat16(states: Float32Array, caption: string): Uint8Array {
  const { bytes } = fromFloat32(states, [states.length], 'F16');
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, states.length);
  const wrong = bits.findIndex((value) => (value & 0x7c00) === 0x7c00);
  if (wrong === -1) return bytes;
  throw new DataError(
    `The hidden states of ${quote(caption)} must be numbers of at most 65504, which 16 bits can store, not ${states[wrong]}. ` +
      'Train without stored hidden states.',
  );
}
