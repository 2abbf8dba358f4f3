import { open } from 'node:fs/promises';
import { parseJsonObject } from '@dalle-mini/core';
import { isMissing, readTextFile, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';

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
  return parse(await readText(path), path).map(({ record }) => record);
}

/**
 * Removes the lines after a step, and an incomplete last line, which a resumed run writes again. Returns the other
 * records.
 */
export async function truncateMetrics(path: string, step: number): Promise<MetricsRecord[]> {
  const text = await readText(path);
  const kept = parse(text, path).filter(({ record }) => record.step <= step);
  const keptText = kept.map(({ line }) => `${line}\n`).join('');
  if (keptText !== text) await writeFileAtomically(path, keptText);
  return kept.map(({ record }) => record);
}

/**
 * Appends records and waits until they are on disk.
 *
 * @throws FileError if they cannot be written. No part of them remains.
 */
export async function appendMetrics(path: string, records: readonly MetricsRecord[]): Promise<void> {
  await withFileErrors('write', path, async () => {
    const file = await open(path, 'a');
    try {
      const { size } = await file.stat();
      try {
        await file.writeFile(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
        await file.sync();
      } catch (error) {
        // The first error is more useful than an error of the cleanup.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
  });
}

async function readText(path: string): Promise<string> {
  return readTextFile(path).catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
}

function parse(text: string, path: string): { line: string; record: MetricsRecord }[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    const record = parseJsonObject(line, `${path}, line ${i + 1}`, 'Delete the line or the file.');
    return { line, record: record as MetricsRecord };
  });
}
