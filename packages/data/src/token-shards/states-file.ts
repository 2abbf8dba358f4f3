import {
  type TextEncoder as CaptionTextEncoder,
  integer,
  list,
  object,
  oneOf,
  optional,
  parseJsonObject,
  readConfig,
  string,
} from '@dalle-mini/core';
import { DataError } from '../data-error.js';
import { joinPlace, readTextAt } from '../remote/files.js';
import { type CaptionEncoder, captionEncoderOf, describeEncoder, isSameEncoder } from './caption-encoder.js';
import { indexName, readIndex, type ShardIndex, sha256Field } from './index-file.js';

/** The hidden states of a shard's captions: `<name>.states` and `<name>.states.jsonl`. */
export interface StatesRecord {
  /** SHA-256 of the `.jsonl` file whose captions were encoded. */
  readonly captionsSha256: string;
  /** Number of different captions. */
  readonly captions: number;
  /** Number of hidden states. */
  readonly rows: number;
  readonly statesSha256: string;
  readonly linesSha256: string;
}

/** `states.json`: the hidden states of a folder's captions, of its first shards if the work is not finished. */
export interface StatesIndex {
  readonly format: typeof statesFormat;
  readonly encoder: CaptionEncoder;
  readonly shards: readonly StatesRecord[];
}

export const statesFormat = 'dalle-mini-caption-states';
export const statesName = 'states.json';
export const encodeAgain = 'Delete it and encode the captions again.';

const count = integer({ min: 1 });
const statesFields = object<StatesIndex>(
  {
    format: oneOf([statesFormat]),
    encoder: object<CaptionEncoder>({ name: optional(string()), sha256: sha256Field, maxLength: count, width: count }),
    shards: list(
      object<StatesRecord>({
        captionsSha256: sha256Field,
        captions: count,
        rows: count,
        statesSha256: sha256Field,
        linesSha256: sha256Field,
      }),
    ),
  },
  { unknown: 'ignore' },
);

/**
 * Reads `states.json` of a folder.
 *
 * @returns `undefined` if the file is missing.
 * @throws ConfigError if a field is wrong.
 */
export async function readStatesIndex(folder: string): Promise<StatesIndex | undefined> {
  const path = joinPlace(folder, statesName);
  const text = await readTextAt(path);
  if (text === undefined) return undefined;
  return readConfig(statesFields, parseJsonObject(text, path, encodeAgain), path, encodeAgain);
}

/** @throws DataError if the hidden states of a folder are of another encoder. */
export function checkEncoder(folder: string, { encoder }: StatesIndex, identity: CaptionEncoder): void {
  if (isSameEncoder(encoder, identity)) return;
  throw new DataError(
    `${folder} has hidden states of ${describeEncoder(encoder)}, not of ${describeEncoder(identity)}. ` +
      `Delete ${joinPlace(folder, statesName)} to encode the captions again.`,
  );
}

/** Whether all captions of a folder's shards are encoded. */
export function hasAllStates(index: ShardIndex, states: StatesIndex): boolean {
  return index.shards.every(({ captionsSha256 }, number) => states.shards[number]?.captionsSha256 === captionsSha256);
}

/**
 * Returns whether `encodeCaptions` has finished a folder.
 *
 * @param encoder The encoder that they must be of. Default: any.
 * @throws DataError if they are of another encoder.
 */
export async function hasHiddenStates(folder: string, encoder?: CaptionTextEncoder): Promise<boolean> {
  const index = await readIndex(folder, indexName);
  const states = await readStatesIndex(folder);
  if (states && encoder) checkEncoder(folder, states, await captionEncoderOf(encoder));
  return index !== undefined && states !== undefined && hasAllStates(index, states);
}

/** A line of a `.states.jsonl` file. The states of the captions follow each other in the `.states` file, in the order of the lines. */
export interface StatesLine {
  readonly caption: string;
  /** Number of hidden states. */
  readonly tokens: number;
  /** 1 for a token, 0 for one that is not attended to. Default: all are. */
  readonly mask?: readonly number[] | undefined;
}

export const statesLineFields = object<StatesLine>({
  caption: string({ minLength: 0 }),
  tokens: count,
  mask: optional(list(integer({ max: 1 }))),
});
