import { number, OptionError, object, optional, permutation, readOptions, seedField } from '@dalle-mini/core';
import { checkIndex, type Dataset } from './dataset.js';

/**
 * Makes a dataset of some samples of another, in the given order.
 *
 * @param indices Indices into `dataset`, each in `[0, dataset.length)`.
 * @throws OptionError if an index is out of range.
 */
export function subset<S>(dataset: Dataset<S>, indices: readonly number[]): Dataset<S> {
  indices.forEach((index, i) => {
    if (!(Number.isInteger(index) && index >= 0 && index < dataset.length))
      throw new OptionError(`indices[${i}]`, `a whole number from 0 to ${dataset.length - 1}`, index);
  });
  return {
    length: indices.length,
    async get(index, variation) {
      checkIndex(index, indices.length);
      return dataset.get(indices[index]!, variation);
    },
  };
}

export interface HoldOutOptions {
  /** Share of the samples that are held out, above 0 and below 1, and at least one sample. Default 0.05. */
  readonly share?: number | undefined;
  /** Chooses the samples. A whole number from 0 to 2⁵³ − 1. Default 0. */
  readonly seed?: number | undefined;
}

const holdOutFields = object<HoldOutOptions>({
  share: optional(number({ above: 0, below: 1 })),
  seed: optional(seedField),
});

/** A dataset in two parts without a common sample. */
export interface HeldOut<S> {
  readonly training: Dataset<S>;
  readonly evaluation: Dataset<S>;
}

/**
 * Splits a dataset into samples for training and held-out samples for evaluation. The choice is random, and the same
 * for the same length and seed. Both parts keep the order of the samples.
 *
 * @throws OptionError if the dataset has fewer than two samples, or an option is out of its range.
 *
 * @example
 * ```ts
 * import { holdOut } from '@dalle-mini/data';
 *
 * const numbers = { length: 100, get: async (index: number) => index };
 * const { training, evaluation } = holdOut(numbers);
 * console.log(training.length, evaluation.length); // 95 5
 * ```
 */
export function holdOut<S>(dataset: Dataset<S>, options: HoldOutOptions = {}): HeldOut<S> {
  const { share = 0.05, seed = 0 } = readOptions(holdOutFields, options, 'holdOut');
  const { length } = dataset;
  if (length < 2) throw new OptionError('dataset.length', 'at least 2', length);
  const count = Math.min(length - 1, Math.max(1, Math.floor(share * length)));
  const order = permutation(length, 'hold-out', seed);
  const part = (from: number, to: number) =>
    subset(
      dataset,
      [...order.subarray(from, to)].sort((a, b) => a - b),
    );
  return { training: part(count, length), evaluation: part(0, count) };
}
