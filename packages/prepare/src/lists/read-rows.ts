import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { openFile } from '@dalle-mini/core/node';
import { DataError } from '@dalle-mini/data';
import { expand } from 'brace-expansion';
import { captionCleaner, captionFilter } from '../captions/clean.js';
import { type Preset, presets } from '../presets.js';
import type { ListSettings } from '../settings.js';
import { listFormat, listReaders } from './formats.js';
import { type BadRow, type ColumnValue, isBadRow, type RawRow, type Row } from './row.js';
import { photoColumns, readYfcc100m } from './yfcc100m.js';

/** A row, or why it cannot be used, with its place. */
export type PlacedRow = Row | (BadRow & { readonly place: string });

/** Reads the rows of all lists, some thousands at a time: first to last, good and bad ones. */
export async function* readRows(settings: ListSettings, signal?: AbortSignal): AsyncGenerator<readonly PlacedRow[]> {
  const { limit = Number.POSITIVE_INFINITY } = settings;
  let count = 0;
  for await (const rows of readAllRows(settings)) {
    signal?.throwIfAborted();
    const left = limit - count;
    if (left < rows.length) return yield rows.slice(0, left);
    count += rows.length;
    yield rows;
  }
}

async function* readAllRows(settings: ListSettings): AsyncGenerator<readonly PlacedRow[]> {
  const { preset: name, metadata } = settings;
  const preset: Partial<Preset> = name === undefined ? {} : presets[name];
  const captions = { ...preset.captions, ...settings.captions };
  const clean = captionCleaner(captions);
  const filter = await captionFilter(captions);
  if (name === 'yfcc100m-subset') {
    const [subset] = settings.lists;
    const toRow = rowReader(photoColumns, (text) => text, filter);
    for await (const rows of readYfcc100m(subset!, metadata!, clean)) yield rows.map((row) => toRow(row, metadata!));
    return;
  }
  const { url = preset.url ?? 'url', caption = preset.caption ?? 'caption', columns = preset.columns ?? [] } = settings;
  const header = settings.header ?? preset.header ?? true;
  const toRow = rowReader(columns, clean, filter);
  for (const path of expandPaths(settings.lists)) {
    const format = settings.format ?? preset.format ?? listFormat(path);
    const choice = { columns: [url, caption, ...columns], header };
    for await (const rows of listReaders[format](path, choice)) yield rows.map((row) => toRow(row, path));
  }
}

/** Returns a function that checks the URL and the caption of a row as it was read. */
function rowReader(
  columns: readonly string[],
  clean: (text: string) => string,
  filter: (caption: string) => BadRow | undefined,
): (row: RawRow, path: string) => PlacedRow {
  return ({ number, values }, path) => {
    const bad = (problem: BadRow) => ({ ...problem, place: `${path}, row ${number}` });
    if (isBadRow(values)) return bad(values);
    const [url, caption] = values;
    if (typeof url !== 'string' || !isWebAddress(url))
      return bad({
        problem: 'url',
        message: `must have an http or https URL, not ${JSON.stringify(String(url).slice(0, 80))}`,
      });
    const text = typeof caption === 'string' ? clean(caption) : '';
    const refused = filter(text);
    if (refused !== undefined) return bad(refused);
    return { url: url.trim(), caption: text, columns: keptColumns(columns, values) };
  };
}

const noColumns: Row['columns'] = {};

function keptColumns(columns: readonly string[], values: readonly unknown[]): Row['columns'] {
  if (columns.length === 0) return noColumns;
  return Object.fromEntries(columns.map((name, index) => [name, columnValue(values[index + 2])]));
}

function columnValue(value: unknown): ColumnValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (value === undefined || value === null) return null;
  return typeof value === 'bigint' ? Number(value) : JSON.stringify(value);
}

function isWebAddress(text: string): boolean {
  return /^\s*https?:\/\//i.test(text) && URL.canParse(text);
}

/** Most lists that a pattern may name. */
const mostLists = 100_000;

function expandPaths(paths: readonly string[]): string[] {
  return paths.flatMap((path) => expand(path, { max: mostLists }));
}

/** Bytes of each list that its hash covers, besides its size. */
const hashedBytes = 2 ** 20;

/**
 * Returns a hash of what the shards follow from: the settings, and the names, sizes and beginnings of the lists. Copies of a list on
 * several machines have the same one.
 *
 * @param others Further settings, besides those of the lists.
 */
export async function fingerprintOf(settings: ListSettings, others: object): Promise<string> {
  const { preset, lists, metadata, format, header, url, caption, columns, captions, limit } = settings;
  const hash = createHash('sha256');
  hash.update(JSON.stringify({ preset, format, header, url, caption, columns, captions, limit, ...others }));
  for (const path of [...expandPaths(lists), ...(metadata === undefined ? [] : [metadata])]) {
    const file = await openFile(path);
    try {
      const { size } = await file.stat();
      if (size === 0) throw new DataError(`${path} must have rows, not be empty. Download it again.`);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(hashedBytes), 0, hashedBytes, 0);
      hash.update(JSON.stringify([basename(path), size])).update(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  }
  return hash.digest('hex');
}
