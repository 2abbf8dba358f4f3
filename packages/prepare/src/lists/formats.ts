import { quote } from '@dalle-mini/core';
import { DataError } from '@dalle-mini/data';
import { parse as csvParser } from 'csv-parse';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { readLines, readParts } from './lines.js';
import type { BadRow, RawRow } from './row.js';

/** The formats of lists. */
export type ListFormat = 'csv' | 'tsv' | 'jsonl' | 'parquet';

/** How the columns of a list are found. */
export interface ColumnChoice {
  /** Names of columns, or numbers from 0. */
  readonly columns: readonly (string | number)[];
  /** Whether the first line of a CSV or TSV has the names of its columns. */
  readonly header: boolean;
}

type Reader = (path: string, choice: ColumnChoice) => AsyncIterable<readonly RawRow[]>;

/** Rows at a time, of readers that choose it. */
const batchSize = 4096;

/** Readers of lists, some thousand rows at a time, in constant memory; Parquet takes the memory of a row group. */
export const listReaders: Readonly<Record<ListFormat, Reader>> = {
  tsv: readTsv,
  csv: readCsv,
  jsonl: readJsonLines,
  parquet: readParquet,
};

/** Returns the format of a list by the ending of its name. */
export function listFormat(path: string): ListFormat {
  const ending = /\.([^./\\]+?)(\.gz)?$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === 'parquet' || ending === 'tsv' || ending === 'csv' || ending === 'jsonl') return ending;
  throw new DataError(
    `${path} must end in .csv, .tsv, .jsonl or .parquet, or .gz after these. Set format, or rename it.`,
  );
}

/**
 * Reads a table whose fields have tabs between them, and no quotes, as those of Conceptual Captions and of YFCC100M. Their captions may
 * have quotation marks, which are part of the text.
 */
async function* readTsv(path: string, { columns, header }: ColumnChoice): AsyncGenerator<RawRow[]> {
  let number = 0;
  let indices: readonly number[] | undefined = header ? undefined : columnNumbers(path, columns);
  let width = 0;
  for await (const lines of readLines(path)) {
    const rows: RawRow[] = [];
    for (const line of lines) {
      number++;
      if (line === '') continue;
      const fields = line.split('\t');
      if (indices === undefined) {
        indices = columnIndices(path, columns, fields);
        width = fields.length;
      } else rows.push({ number, values: pickFields(fields, indices, width) });
    }
    yield rows;
  }
}

/** Reads a table as RFC 4180 describes it: fields with commas, quotes or line breaks are in quotes. */
async function* readCsv(path: string, { columns, header }: ColumnChoice): AsyncGenerator<RawRow[]> {
  const parser = csvParser({ bom: true, relax_column_count: true, skip_empty_lines: true });
  const parts = readParts(path);
  const feeding = (async () => {
    for await (const part of parts) {
      if (!parser.write(part)) await new Promise((resolve) => parser.once('drain', resolve));
    }
    parser.end();
  })();
  feeding.catch((error: Error) => parser.destroy(error));
  let number = 0;
  let indices: readonly number[] | undefined = header ? undefined : columnNumbers(path, columns);
  let width = 0;
  let rows: RawRow[] = [];
  try {
    for await (const fields of parser as AsyncIterable<string[]>) {
      number++;
      if (indices === undefined) {
        indices = columnIndices(path, columns, fields);
        width = fields.length;
        continue;
      }
      rows.push({ number, values: pickFields(fields, indices, width) });
      if (rows.length < batchSize) continue;
      yield rows;
      rows = [];
    }
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('CSV_')) throw error;
    throw new DataError(`${path} is not a CSV: ${(error as Error).message.slice(0, 200)}. Correct it.`, {
      cause: error,
    });
  }
  yield rows;
}

async function* readJsonLines(path: string, { columns }: ColumnChoice): AsyncGenerator<RawRow[]> {
  let number = 0;
  for await (const lines of readLines(path)) {
    const rows: RawRow[] = [];
    for (const line of lines) {
      number++;
      if (line.trim() !== '') rows.push({ number, values: pickProperties(line, columns) });
    }
    yield rows;
  }
}

async function* readParquet(path: string, { columns }: ColumnChoice): AsyncGenerator<RawRow[]> {
  const file = await asyncBufferFromFile(path);
  const damaged = (error: unknown) => {
    const reason = (error as Error).message.slice(0, 200);
    return new DataError(`${path} is not a Parquet file, or damaged: ${reason}. Download it again.`, { cause: error });
  };
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => Promise.reject(damaged(error)));
  const present = parquetSchema(metadata).children.map(({ element }) => element.name);
  const names = columnIndices(path, columns, present).map((index) => present[index]!);
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    const options = { file, metadata, compressors, columns: names, rowStart, rowEnd };
    const records = await parquetReadObjects(options).catch((error: unknown) => Promise.reject(damaged(error)));
    for (let start = 0; start < records.length; start += batchSize) {
      const first = rowStart + start + 1;
      yield records
        .slice(start, start + batchSize)
        .map((record, offset) => ({ number: first + offset, values: names.map((name) => record[name]) }));
    }
    rowStart = rowEnd;
  }
}

function pickFields(fields: readonly string[], indices: readonly number[], width: number): readonly string[] | BadRow {
  if (width > 0 && fields.length !== width)
    return { problem: 'fields', message: `must have ${width} fields, as the first line, not ${fields.length}` };
  for (const index of indices) {
    if (index >= fields.length)
      return { problem: 'fields', message: `must have at least ${index + 1} fields, not ${fields.length}` };
  }
  return indices.map((index) => fields[index]!);
}

function pickProperties(line: string, columns: readonly (string | number)[]): readonly unknown[] | BadRow {
  try {
    const record = JSON.parse(line) as Record<string, unknown> | null;
    if (typeof record === 'object' && record !== null) return columns.map((name) => record[name]);
  } catch {
    // Reported like other values that are not objects.
  }
  return { problem: 'json', message: `must be a JSON object, not ${quote(line)}` };
}

/** Finds columns by name, regardless of case: LAION's files have URL and TEXT, or url and text. */
function columnIndices(path: string, columns: readonly (string | number)[], present: readonly string[]): number[] {
  return columns.map((column) => {
    if (typeof column === 'number') return column;
    const exact = present.indexOf(column);
    const index = exact === -1 ? present.findIndex((name) => name.toLowerCase() === column.toLowerCase()) : exact;
    if (index !== -1) return index;
    const names = present.map((name) => JSON.stringify(name)).join(', ');
    throw new DataError(
      `${path} must have the column ${quote(column)}; its columns are ${names}. Set url, caption or columns.`,
    );
  });
}

function columnNumbers(path: string, columns: readonly (string | number)[]): readonly number[] {
  const named = columns.find((column) => typeof column === 'string');
  if (named === undefined) return columns as readonly number[];
  throw new DataError(
    `The columns of ${path} must be numbers from 0, not ${quote(String(named))}, because it has no header.`,
  );
}
