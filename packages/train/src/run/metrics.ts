import { open, readFile } from 'node:fs/promises';
import { FileError, writeFileAtomically } from '@dalle-mini/core/node';

/** One line of a metrics file: a step and what was measured at it. */
export interface MetricsRecord {
  /** Steps taken. */
  readonly step: number;
  readonly [metric: string]: number;
}

/**
 * Reads a metrics file, JSON lines, or nothing if there is none. A last line that was cut off is left out.
 *
 * @throws FileError if it cannot be read; Error that names the line that is not JSON.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  return parse(await readText(path), path).map(({ record }) => record);
}

/** Drops what was written after a step, and a last line that was cut off: a resumed run writes them again. */
export async function truncateMetrics(path: string, step: number): Promise<void> {
  const text = await readText(path);
  const kept = parse(text, path).filter(({ record }) => record.step <= step);
  const keptText = kept.map(({ line }) => `${line}\n`).join('');
  if (keptText !== text) await writeFileAtomically(path, keptText);
}

/**
 * Appends records and waits until they are on the disk.
 *
 * @throws FileError if the disk refuses: no part of them remains.
 */
export async function appendMetrics(path: string, records: readonly MetricsRecord[]): Promise<void> {
  try {
    const file = await open(path, 'a');
    try {
      const { size } = await file.stat();
      try {
        await file.writeFile(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
        await file.sync();
      } catch (error) {
        // The first error says more than a failure to clean up after it.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new FileError('write', path, error as NodeJS.ErrnoException);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    if (cause.code === 'ENOENT') return '';
    throw new FileError('read', path, cause);
  }
}

function parse(text: string, path: string): { line: string; record: MetricsRecord }[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    try {
      return { line, record: JSON.parse(line) as MetricsRecord };
    } catch (error) {
      throw new Error(`${path}: line ${i + 1} is not JSON; delete it or the file.`, { cause: error });
    }
  });
}
