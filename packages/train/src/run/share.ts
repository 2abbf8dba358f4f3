import { type Hosts, oneHost } from '@dalle-mini/hosts';

/** The samples of each batch that a host reads. */
export interface Share {
  /** Index in the batch of the first of them. */
  readonly start: number;
  readonly size: number;
  readonly batchSize: number;
}

/** Divides a batch among hosts, as evenly as possible. */
export function shareOf(batchSize: number, { rank, size }: Hosts = oneHost): Share {
  const startOf = (host: number) => Math.floor((host * batchSize) / size);
  return { start: startOf(rank), size: startOf(rank + 1) - startOf(rank), batchSize };
}

/** Returns the positions of a share in the stream of samples, for a step of `accumulation` batches. */
export function positionsOf({ start, size, batchSize }: Share, step: number, accumulation = 1): number[] {
  return Array.from({ length: accumulation }, (_, batch) => (step * accumulation + batch) * batchSize + start).flatMap(
    (first) => Array.from({ length: size }, (_, i) => first + i),
  );
}
