/** A point of a curve: the mean of some neighboring values, and their range. */
export interface Point {
  /** The step of the last of them. */
  readonly step: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
}

/** A curve: one metric of one run. */
export interface Series {
  readonly metric: string;
  /** Index of the run. */
  readonly run: number;
  readonly points: readonly Point[];
}

/** Most points of a curve: about as many as there are pixels. */
const mostPoints = 400;

/** Returns a curve of values by step, ordered by step. Of long ones, neighbors are averaged. */
export function series(
  metric: string,
  run: number,
  values: readonly (readonly [step: number, value: number])[],
): Series {
  const size = Math.ceil(values.length / mostPoints);
  const points: Point[] = [];
  for (let start = 0; start < values.length; start += size) {
    const group = values.slice(start, start + size);
    const numbers = group.map(([, value]) => value);
    const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
    points.push({ step: group.at(-1)![0], mean, min: Math.min(...numbers), max: Math.max(...numbers) });
  }
  return { metric, run, points };
}

/** Formats a value for an axis or a table: four significant digits. */
export function formatValue(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6)
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}
