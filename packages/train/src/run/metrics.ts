import { appendJsonLines, filterJsonLines, readJsonLines } from './json-lines.js';

/** One line of a metrics file: a step and its metrics. */
export interface MetricsRecord {
  /** Steps taken. */
  readonly step: number;
  readonly [metric: string]: number;
}

/**
 * Reads a metrics file (JSON lines) without an incomplete last line. Returns no records if the file is missing.
 *
 * @throws FileError if it cannot be read; ConfigError that names a line that is not JSON.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  return readJsonLines<MetricsRecord>(path);
}

/**
 * Removes the lines after a step, and an incomplete last line, which a resumed run writes again. Returns the other
 * records.
 */
export async function truncateMetrics(path: string, step: number): Promise<MetricsRecord[]> {
  return filterJsonLines<MetricsRecord>(path, (record) => record.step <= step);
}

/**
 * Appends records and waits until they are on disk.
 *
 * @throws FileError if they cannot be written. No part of them remains.
 */
export async function appendMetrics(path: string, records: readonly MetricsRecord[]): Promise<void> {
  await appendJsonLines(path, records);
}
