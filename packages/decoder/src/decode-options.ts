/** What decoders do with the arguments of `generate`: check them, and make inputs of graphs. */
import {
  abortSignal,
  callback,
  type DecodeOptions,
  field,
  type ImageTokenDecoder,
  type InitialTokens,
  integer,
  number,
  OptionError,
  object,
  optional,
  type SamplingOptions,
  samplingFields,
  seedField,
  type TextEncoding,
} from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import type { AutoregressiveModel, Encodings } from './autoregressive/model.js';

/** The field of the options of `generate`, for `readOptions`. */
export const decodeOptions = object<DecodeOptions>({
  ...samplingFields,
  seed: optional(seedField),
  firstIndex: optional(integer({ max: 2 ** 52 })),
  unconditional: optional(
    field<TextEncoding>('a text encoding', (value) => typeof value === 'object' && value !== null),
  ),
  initial: optional(
    object<InitialTokens>({
      grids: field('a list of grids of tokens', (value) => Array.isArray(value)),
      keep: field('a Uint8Array of 0 and 1', (value) => value instanceof Uint8Array),
      strength: optional(number({ above: 0, max: 1 })),
    }),
  ),
  onProgress: optional(callback()),
  signal: optional(abortSignal()),
});

export const isGuided = ({ guidanceScale = 1 }: SamplingOptions): boolean => guidanceScale !== 1;

/** Returns the number of most likely tokens to sample from. */
export const keptTokens = (
  { temperature = 1, topK = Number.POSITIVE_INFINITY }: SamplingOptions,
  vocabularySize: number,
): number => (temperature === 0 ? 1 : Math.min(topK, vocabularySize));

/** Raises numbers to the smallest normal float32, since smaller ones may be rounded to 0. */
export const aboveZero = (value: number): number => Math.max(value, 2 ** -126);

export const scalar = (value: number): TensorData => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

/**
 * Checks the captions of `generate` and, if it is guided, what guidance steers away from, and returns them.
 *
 * @param needsUnconditional Whether guidance needs `unconditional`.
 */
export function checkEncodings(
  model: Pick<AutoregressiveModel, 'checkEncoding'>,
  text: TextEncoding,
  options: DecodeOptions,
  needsUnconditional: boolean,
): Encodings {
  const guided = isGuided(options);
  model.checkEncoding('text', text);
  const unconditional = guided ? options.unconditional : undefined;
  if (guided && (needsUnconditional || unconditional)) {
    const caption = 'the encoding of one caption, empty or negative, if guidanceScale is not 1';
    if (!unconditional) throw new OptionError('unconditional', caption, unconditional);
    model.checkEncoding('unconditional', unconditional);
    if (unconditional.batch !== 1) throw new OptionError('unconditional.batch', `1: ${caption}`, unconditional.batch);
  }
  return { text, guided, unconditional };
}

/** Checks the number of images of `prepare`. */
export function checkImages(images: number): void {
  if (!Number.isSafeInteger(images) || images < 1)
    throw new OptionError('images', 'a whole number of at least 1', images);
}

/** Number of most likely tokens to sort if topK is not greater. For a greater topK, another graph sorts all tokens. */
export const fewCandidates = 512;

/** Rounds the length of captions up: graphs are compiled for captions of up to a multiple of 64 tokens. */
export const roundedLength = (length: number): number => Math.ceil(length / 64) * 64;

/**
 * Checks that tokens to start from fit a decoder.
 *
 * @param count Number of captions.
 */
export function checkInitial(
  { grids, keep }: InitialTokens,
  count: number,
  { gridSize, vocabularySize }: Pick<ImageTokenDecoder, 'gridSize' | 'vocabularySize'>,
): void {
  const length = gridSize ** 2;
  if (grids.length !== count)
    throw new OptionError('initial.grids', `${count} grids, one for each caption`, grids.length);
  if (keep.length !== length)
    throw new OptionError('initial.keep', `${length} numbers, one for each token`, keep.length);
  for (const [i, grid] of grids.entries()) {
    const name = `initial.grids[${i}]`;
    if (grid.length !== length) throw new OptionError(name, `a grid of ${length} tokens`, grid.length);
    const unknown = grid.find((token) => token < 0 || token >= vocabularySize);
    if (unknown !== undefined) throw new OptionError(name, `tokens from 0 to ${vocabularySize - 1}`, unknown);
  }
}

/** The error for what only masked decoders can do. */
function onlyMasked(option: string, expected: string, given: unknown, action: string): OptionError {
  const message = `${option} must be ${expected}, because this decoder generates row by row. ${action}`;
  return new OptionError(option, expected, given, message);
}

/** Refuses options of sampling that only masked decoders have. */
export function refusePasses(options: SamplingOptions): void {
  for (const name of ['passes', 'choiceTemperature'] as const) {
    if (options[name] !== undefined)
      throw onlyMasked(name, 'left out', options[name], 'Only masked decoders generate in passes.');
  }
}

/**
 * Returns the number of rows that are kept, for decoders that generate row by row.
 *
 * @throws OptionError if other tokens than whole rows from the top are kept, or with a strength.
 */
export function rowsKept({ keep, strength = 1 }: InitialTokens, gridSize: number): number {
  if (strength !== 1)
    throw onlyMasked('initial.strength', '1 or left out', strength, 'Only masked decoders can vary an image.');
  const count = keep.reduce((sum, kept) => sum + kept, 0);
  const isPrefix = keep.lastIndexOf(1) === count - 1;
  if (isPrefix && count % gridSize === 0) return count / gridSize;
  const rows = '1 for whole rows from the top, and 0 for the others';
  throw onlyMasked('initial.keep', rows, keep, 'Only masked decoders can keep any tokens.');
}
