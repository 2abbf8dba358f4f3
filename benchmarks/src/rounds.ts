/** The rounds of the programs that generate images in a separate process. */
import type { GenerateMeasurement } from './measurement.js';

/** The times of the stages of one round, in milliseconds. */
type Times = Record<string, number>;

/** Runs the work of a stage, and notes its time. */
export type TimeStage = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

export interface Rounds {
  readonly engine: string;
  readonly dtype?: string | undefined;
  readonly loadMs: number;
  /** Rounds that are timed, after the first. */
  readonly rounds: number;
  /** Generates once. */
  readonly generate: (stage: TimeStage) => Promise<unknown>;
  /** The first round, which compiles: it shows the start, and the others the speed. Default: as the others. */
  readonly first?: ((stage: TimeStage) => Promise<unknown>) | undefined;
}

/** Generates once more than `rounds` times. */
export async function measureRounds({
  engine,
  dtype,
  loadMs,
  rounds,
  generate,
  first = generate,
}: Rounds): Promise<GenerateMeasurement> {
  const start = await timesOf(first);
  const measured: Times[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await timesOf(generate));
  return {
    engine,
    ...(dtype === undefined ? {} : { dtype }),
    load_ms: loadMs,
    first: start,
    rounds: measured,
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  };
}

async function timesOf(generate: Rounds['generate']): Promise<Times> {
  const times: Times = {};
  await generate(async (name, work) => {
    const start = performance.now();
    const result = await work();
    times[name] = performance.now() - start;
    return result;
  });
  return times;
}
