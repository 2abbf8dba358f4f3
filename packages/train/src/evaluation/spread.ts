import { type Dataset, usableIndices } from '@dalle-mini/data';
import { whenAll } from '../run/when-all.js';

/** Returns the indices of at most `count` samples of a dataset, evenly spread over it. */
export function spreadIndices(dataset: Dataset<unknown>, count = Number.POSITIVE_INFINITY): number[] {
  const indices = usableIndices(dataset);
  const length = Math.min(count, indices.length);
  const stride = indices.length / length;
  return Array.from({ length }, (_, i) => indices[Math.floor(i * stride)]!);
}

/** Reads at most `count` samples of a dataset, evenly spread over it. */
export function spread<Sample>(dataset: Dataset<Sample>, count: number): Promise<Sample[]> {
  return whenAll(spreadIndices(dataset, count).map((index) => dataset.get(index)));
}
