import { field, integerBelow } from '@dalle-mini/core';
import { type Dataset, type Sampler, usableIndices } from '@dalle-mini/data';

/** The order of training samples: a sampler, or a function from a position to an index into the dataset. */
export type Order = Sampler | ((position: number) => number);

export const orderField = field<Order>(
  'a sampler or a function',
  (value) => typeof value === 'function' || typeof (value as Sampler | null | undefined)?.at === 'function',
);

/**
 * Returns the index of the sample at a position, and the number of complete epochs before it. If the order chooses a
 * skipped sample, another one takes its place.
 */
export function sampleAt(
  { order, dataset }: { readonly order: Order; readonly dataset: Dataset<unknown> },
  position: number,
): { readonly index: number; readonly epoch: number } {
  const [index, epochLength] =
    typeof order === 'function' ? [order(position), dataset.length] : [order.at(position), order.epochLength];
  const epoch = Math.floor(position / epochLength);
  if (!dataset.skipped?.has(index)) return { index, epoch };
  const usable = usableIndices(dataset);
  return { index: usable[integerBelow(usable.length, 'replacement', position)]!, epoch };
}
