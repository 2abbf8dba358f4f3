import { type Dataset, usableIndices } from '@dalle-mini/data';
import { whenAll } from '../run/when-all.js';

/** Reads at most `count` samples of a dataset, evenly spread over it. */
export function spread<Sample>(dataset: Dataset<Sample>, count: number): Promise<Sample[]> {
  const indices = usableIndices(dataset);
  const length = Math.min(count, indices.length);
  const stride = indices.length / length;
  return whenAll(Array.from({ length }, (_, i) => dataset.get(indices[Math.floor(i * stride)]!)));
}
