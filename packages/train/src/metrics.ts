import { open, readFile } from 'node:fs/promises';
import { writeFileAtomically } from '@dalle-mini/weights/node';

/** One line of a metrics file. */
export interface MetricsRecord {
  /** Steps taken. */
  readonly step: number;
  readonly [metric: string]: number;
}

/** Reads a metrics file (JSON lines), or nothing if there is none. A last line that was cut off is left out. */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MetricsRecord);
}

/** Drops what was written after a step: a resumed run writes it again. */
export async function truncateMetrics(path: string, step: number): Promise<void> {
  const records = await readMetrics(path);
  const kept = records.filter((record) => record.step <= step);
  if (kept.length < records.length) {
    await writeFileAtomically(
      path,
      new TextEncoder().encode(kept.map((record) => `${JSON.stringify(record)}\n`).join('')),
    );
  }
}

/** Appends records, each in one write. */
export async function appendMetrics(path: string, records: readonly MetricsRecord[]): Promise<void> {
  if (records.length === 0) return;
  const file = await open(path, 'a');
  try {
    await file.write(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  } finally {
    await file.close();
  }
}
