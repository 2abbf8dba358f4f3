import type { Dataset } from '@dalle-mini/data';
import { whenAll } from '../run/when-all.js';

/** Reads at most `count` samples of a dataset, evenly spread over it. */
export function spread<Sample>(dataset: Dataset<Sample>, count: number): Promise<Sample[]> {
  const length = Math.min(count, dataset.length);
  const stride = dataset.length / length;
  return whenAll(Array.from({ length }, (_, i) => dataset.get(Math.floor(i * stride))));
}
