/** What one training run prints, here and in `peers/measure.py`. */
export interface Measurement {
  readonly engine: string;
  readonly unit: 'tokens' | 'images';
  /** Units a second, by the median step. */
  readonly per_second: number;
  /** Median and shortest time of a step. */
  readonly step_ms: number;
  readonly step_ms_min: number;
  /** Largest resident memory that the process had, weights and everything else included. */
  readonly peak_rss_mb: number;
  /** The loss of every step, warm-up included. */
  readonly losses: readonly number[];
}

/** What one program that draws prints, here and in `peers/generate_*.py`. */
export interface GenerateMeasurement {
  readonly engine: string;
  /** Until the first call can be made. */
  readonly load_ms: number;
  /** The first drawing, where it differs from the others: it compiles. */
  readonly first?: Readonly<Record<string, number>>;
  /** Milliseconds of each stage, of each drawing. */
  readonly rounds: readonly Readonly<Record<string, number>>[];
  readonly peak_rss_mb: number;
}
