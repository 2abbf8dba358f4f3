import { field } from '@dalle-mini/core';
import type { Dataset, Sampler } from '@dalle-mini/data';

/** The order of training samples: a sampler, or a function from a position to an index into the dataset. */
export type Order = Sampler | ((position: number) => number);

export const orderField = field<Order>(
  'a sampler or a function',
  (value) => typeof value === 'function' || typeof (value as Sampler | null | undefined)?.at === 'function',
);

/** Returns the index of the sample at a position, and the number of complete epochs before it. */
export function sampleAt(
  { order, dataset }: { readonly order: Order; readonly dataset: Dataset<unknown> },
  position: number,
): { readonly index: number; readonly epoch: number } {
  return typeof order === 'function'
    ? { index: order(position), epoch: Math.floor(position / dataset.length) }
    : { index: order.at(position), epoch: Math.floor(position / order.epochLength) };
}
