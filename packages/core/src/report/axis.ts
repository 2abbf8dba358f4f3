/** An axis: its range, and the values that are labeled. */
export interface Axis {
  readonly isLog: boolean;
  readonly ticks: readonly number[];
  /** Maps a value of the range to 0 to 1. */
  readonly place: (value: number) => number;
}

/** A logarithmic axis shows more if the largest value is this many times the smallest. */
const logFrom = 30;

/**
 * Chooses the axis of some values.
 *
 * @param mayBeLog Whether it may be logarithmic.
 * @param isTight Whether it ends at the smallest and the largest value, and not at labels. They must differ.
 */
export function axisOf(values: readonly number[], { mayBeLog = false, isTight = false } = {}): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (mayBeLog && low > 0 && high / low >= logFrom) {
    const [from, to] = [Math.log10(low), Math.log10(high)];
    return { isLog: true, ticks: logTicks(low, high), place: (value) => (Math.log10(value) - from) / (to - from) };
  }
  // Equal values are in the middle.
  const margin = high === low ? Math.abs(high) / 2 || 1 : 0;
  const step = linearStep(high - low + 2 * margin);
  const from = isTight ? low : Math.floor((low - margin) / step + 1e-9) * step;
  const to = isTight ? high : Math.ceil((high + margin) / step - 1e-9) * step;
  return { isLog: false, ticks: linearTicks(from, to, step), place: (value) => (value - from) / (to - from) };
}

/** Returns the distance of about five labels of a range: a round number. */
function linearStep(range: number): number {
  const rough = range / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * (1 - 1e-9))!;
}

function linearTicks(from: number, to: number, step: number): number[] {
  const ticks: number[] = [];
  // Counted, because sums of fractions would drift.
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  const factors = high / low > 1e3 ? [1] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of factors) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}
