import type { Dataset } from '@dalle-mini/data';

/** At most `count` samples of a dataset, evenly spread over it. */
export function spread<Sample>(dataset: Dataset<Sample>, count: number): Promise<Sample[]> {
  const length = Math.min(count, dataset.length);
  const stride = dataset.length / length;
  return Promise.all(Array.from({ length }, (_, i) => dataset.get(Math.floor(i * stride))));
}

/** The step as the names of files have it, so that they sort by it. */
export function fileStep(step: number): string {
  return String(step).padStart(8, '0');
}
