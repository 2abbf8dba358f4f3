/** What decoders do with the arguments of `generate`: check them, and make inputs of graphs. */
import {
  abortSignal,
  callback,
  type DecodeOptions,
  field,
  type ImageTokenDecoder,
  type InitialTokens,
  integer,
  OptionError,
  object,
  optional,
  type SamplingOptions,
  samplingFields,
  seedField,
  type TextEncoding,
} from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';

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

/**
 * Returns the number of rows that are kept, for decoders that generate row by row.
 *
 * @throws OptionError if other tokens than whole rows from the top are kept.
 */
export function rowsKept({ keep }: InitialTokens, gridSize: number): number {
  const count = keep.reduce((sum, kept) => sum + kept, 0);
  const isPrefix = keep.lastIndexOf(1) === count - 1;
  if (isPrefix && count % gridSize === 0) return count / gridSize;
  throw new OptionError(
    'initial.keep',
    'whole rows from the top',
    keep,
    'initial.keep must be 1 for whole rows from the top and 0 for the others, because this decoder generates row by row. ' +
      'A masked decoder can keep any tokens.',
  );
}
