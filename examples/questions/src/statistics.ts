/** The mean of some numbers and half of its 95 % interval. */
export interface Estimate {
  readonly mean: number;
  /** Infinite for a single number. */
  readonly half: number;
  readonly count: number;
}

/** 97.5 % quantiles of Student's t distribution, for 1 degree of freedom and more. */
const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

export function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, half: Number.POSITIVE_INFINITY, count };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const quantile = quantiles[count - 2] ?? 1.96;
  return { mean, half: quantile * Math.sqrt(variance / count), count };
}
