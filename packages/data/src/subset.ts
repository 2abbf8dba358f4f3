import { OptionError } from '@dalle-mini/core';
import { checkIndex, type Dataset } from './dataset.js';

/**
 * Makes a dataset of some samples of another, in the given order. Samples that are skipped in `dataset` are skipped in
 * the result.
 *
 * @param indices Indices into `dataset`, each in `[0, dataset.length)`.
 * @throws OptionError if an index is out of range.
 */
export function subset<S>(dataset: Dataset<S>, indices: readonly number[]): Dataset<S> {
  indices.forEach((index, i) => {
    if (!(Number.isInteger(index) && index >= 0 && index < dataset.length))
      throw new OptionError(`indices[${i}]`, `a whole number from 0 to ${dataset.length - 1}`, index);
  });
  const { skipped } = dataset;
  const part: Dataset<S> = {
    length: indices.length,
    ...(skipped?.size ? { skipped: new Set([...indices.keys()].filter((i) => skipped.has(indices[i]!))) } : {}),
    async get(index, variation) {
      checkIndex(index, indices.length);
      return dataset.get(indices[index]!, variation);
    },
  };
  if (!dataset.describe) return part;
  return {
    ...part,
    describe(index) {
      checkIndex(index, indices.length);
      return dataset.describe!(indices[index]!);
    },
  };
}
