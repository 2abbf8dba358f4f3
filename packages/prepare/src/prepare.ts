import type { PrepareProgress } from './meter.js';
import { PrepareSession, type SessionOptions } from './session.js';
import type { PrepareSettings } from './settings.js';
import type { PrepareSummary } from './summary.js';

export interface PrepareOptions extends SessionOptions {
  /** Tries the rows again that could not be downloaded, of the shards that are written, and nothing else. Default false. */
  readonly retryFailed?: boolean | undefined;
  /** Called while lists are read and rows are downloaded. */
  readonly onProgress?: ((progress: PrepareProgress) => unknown) | undefined;
}

/**
 * Downloads the images of a data set, and writes WebDataset shards as img2dataset does: `00000.tar`, `00000.parquet` and
 * `00000_stats.json`. A shard is written whole or not at all. The same call again downloads only the shards that are missing.
 *
 * At the end it writes `report.html`, a page on all shards.
 *
 * @param given The settings. Relative paths start from the working folder.
 * @throws OptionError if a setting is wrong; DataError if a list is damaged, or the folder has shards of other lists or settings; FileError or StorageError if a file cannot
 *   be read or written; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { prepare } from '@dalle-mini/prepare';
 *
 * const { successes } = await prepare({ preset: 'cc12m', lists: ['cc12m.tsv'], out: 'cc12m', pictures: { size: 256 } });
 * console.log(successes);
 * ```
 */
export async function prepare(given: PrepareSettings, options: PrepareOptions = {}): Promise<PrepareSummary> {
  const { retryFailed = false, ...opening } = options;
  const session = await PrepareSession.open(given, opening);
  try {
    await session.run(retryFailed ? session.failures() : session.missing(), options.onProgress);
    return await session.summarize();
  } finally {
    await session.close();
  }
}
