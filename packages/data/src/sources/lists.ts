import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decodeText, describeValue, EncodingError, parseJsonObject } from '@dalle-mini/core';
import { readBytes } from '@dalle-mini/core/node';
import { CsvError, parse as parseCsv } from 'csv-parse/sync';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { DataError } from '../data-error.js';
import { isLfsPointer, lfsAction } from '../image-formats.js';
import {
  captionColumnsOf,
  captionsFromRecord,
  captionsFromValue,
  columnNames,
  imageColumn,
  isRecord,
} from './captions.js';
import type { OmissionReason, SourceFile } from './listing.js';

/** A line of a list: the name of an image and its captions. */
export interface ListLine {
  /** The list and the line, for messages. */
  readonly place: string;
  /** The file name, relative to the folder of the list. */
  readonly name?: string | undefined;
  /** Without blank ones. `undefined` if the line has something else than captions. */
  readonly captions?: readonly string[] | undefined;
  /** Why the line cannot be read. */
  readonly problem?: string | undefined;
  /** Default `bad-line`. */
  readonly reason?: OmissionReason | undefined;
}

/** Readers of lists that are text. */
const readers: Readonly<Record<string, (path: string, text: string) => ListLine[]>> = {
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.csv': readTable,
  '.tsv': readTable,
  '.txt': readTable,
  '.json': readJson,
};

/**
 * Reads a list of images with captions. The format follows from the ending of its name: `.jsonl`, `.ndjson`, `.csv`, `.tsv`,
 * `.txt` (a table), `.parquet` or `.json`, which may be compressed with gzip and end in `.gz`.
 *
 * @param encoding Of a text that is neither UTF-8 nor UTF-16.
 * @returns Its lines. Those that are in another encoding have a `problem`.
 * @throws DataError if it has no columns of file names and captions, or is damaged; EncodingError if all of it is in another
 *   encoding; ConfigError if a `.json` file is not JSON.
 */
export async function readList({ path }: SourceFile, encoding?: string): Promise<ListLine[]> {
  const ending = /(\.[^.]*)(\.gz)?$/i.exec(path)![1]!.toLowerCase();
  const stored = await readBytes(path);
  if (isLfsPointer(stored)) throw new DataError(`${path} cannot be read. ${lfsAction}`);
  const bytes = /\.gz$/i.test(path) ? await unpack(path, stored) : stored;
  if (ending === '.parquet') return readParquet(path, bytes);
  const read = (text: string) => readers[ending]!(path, text);
  let text: string;
  try {
    text = decodeText(bytes, path, encoding);
  } catch (error) {
    if (!EncodingError.isInstance(error)) throw error;
    return readDamaged(bytes, read, error);
  }
  return read(text);
}

/** Most bytes of an unpacked list. */
const maxUnpacked = 2 ** 29;

async function unpack(path: string, stored: Uint8Array): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(stored, { maxOutputLength: maxUnpacked });
  } catch (error) {
    throw new DataError(
      `${path} cannot be unpacked with gzip to at most ${maxUnpacked} bytes: ${(error as Error).message}. Replace it.`,
      { cause: error },
    );
  }
}

/** Reads the lines of a list that are in UTF-8, of one that is not as a whole. */
function readDamaged(bytes: Uint8Array, read: (text: string) => ListLine[], error: EncodingError): ListLine[] {
  let lines: ListLine[];
  try {
    // Without `fatal`, other bytes become replacement characters.
    lines = read(new TextDecoder().decode(bytes));
  } catch {
    throw error;
  }
  const problem = error.message.slice(`${error.source}, line ${error.line}`.length);
  const isDamaged = ({ name = '', captions = [] }: ListLine) => /[\0\ufffd]/.test([name, ...captions].join());
  return lines.map((line) =>
    isDamaged(line) ? { ...line, problem: `${line.place}${problem}`, reason: 'bad-encoding' } : line,
  );
}

const lineAction = 'Write a line such as {"file_name": "cat.jpg", "text": "a cat"}.';

function readJsonLines(path: string, text: string): ListLine[] {
  const lines: ListLine[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const place = `${path}, line ${index + 1}`;
    try {
      lines.push(fromRecord(parseJsonObject(line, place, lineAction), place, lineAction));
    } catch (error) {
      lines.push({ place, problem: (error as Error).message });
    }
  });
  return lines;
}

function fromRecord(record: Record<string, unknown>, place: string, action: string): ListLine {
  const column = imageColumn(Object.keys(record));
  if (column === undefined) return { place, problem: `${place}: file_name is missing. ${action}` };
  const given = record[column];
  // Hugging Face's datasets write images as a path with or without the bytes.
  const name = typeof given === 'object' && given !== null && 'path' in given ? given.path : given;
  if (typeof name !== 'string' || name.trim() === '')
    return {
      place,
      problem: `${place}: ${column} must be a string that is not empty, not ${describeValue(name)}. ${action}`,
    };
  return { place, name: name.trim(), captions: captionsFromRecord(record) };
}

const delimiters = [',', '\t', ';', '|'];

function readTable(path: string, given: string): ListLine[] {
  // Excel writes the delimiter before the header. An empty line is skipped and keeps the numbers of the others.
  const text = given.replace(/^sep=[,;|\t]/i, '');
  const header = text.trimStart().split(/[\r\n]/, 1)[0]!;
  const counts = delimiters.map((delimiter) => header.split(delimiter).length);
  const delimiter = delimiters[counts.indexOf(Math.max(...counts))]!;
  let rows: { record: string[]; info: { lines: number } }[];
  try {
    // `info.lines` is the last line of a row; a quoted field may have several.
    rows = parseCsv(text, {
      delimiter,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      ...(delimiter === '\t' && !text.includes('\t"') ? { quote: null } : {}),
    }) as unknown as typeof rows;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(`${path} is not a table: ${error.message.slice(0, 200)}. Correct it.`, { cause: error });
  }
  const columns = (rows[0]?.record ?? []).map((name) => name.trim());
  checkColumns(path, columns);
  let line = rows[0]!.info.lines + 1;
  return rows.slice(1).map(({ record, info }) => {
    const place = `${path}, line ${line}`;
    line = info.lines + 1;
    const fields = Object.fromEntries(columns.map((name, i) => [name, record[i] ?? '']));
    if (record.length > columns.length)
      return {
        place,
        problem: `${place} has ${record.length} fields instead of ${columns.length}. Put quotes around text with ${JSON.stringify(delimiter)}.`,
      };
    return fromRecord(fields, place, 'Write the name of a file.');
  });
}

function checkColumns(path: string, columns: readonly string[]): void {
  const missing = [
    ...(imageColumn(columns) === undefined ? [`file names (${columnNames.image})`] : []),
    ...(captionColumnsOf(columns).length === 0 ? [`captions (${columnNames.caption})`] : []),
  ];
  if (missing.length > 0)
    throw new DataError(
      `${path} must have a column of ${missing.join(' and one of ')}; its columns are ${describeColumns(columns)}. Rename them.`,
    );
}

function describeColumns(columns: readonly string[]): string {
  const text = columns.map((name) => JSON.stringify(name)).join(', ');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text || 'missing';
}

async function readParquet(path: string, bytes: Uint8Array): Promise<ListLine[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const damaged = (error: unknown) =>
    new DataError(`${path} is not a Parquet file, or damaged: ${(error as Error).message.slice(0, 200)}. Replace it.`, {
      cause: error,
    });
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw damaged(error);
  });
  const schema = parquetSchema(metadata);
  const columns = schema.children.map(({ element }) => element.name);
  checkColumns(path, columns);
  const image = imageColumn(columns)!;
  const rows = await parquetReadObjects({
    file,
    metadata,
    compressors,
    columns: [image, ...captionColumnsOf(columns)],
  }).catch((error: unknown) => {
    throw damaged(error);
  });
  if (rows.some((row) => isRecord(row[image]) && row[image].bytes))
    throw new DataError(
      `${path} holds the images themselves in its column ${image}. Open its folder as a WebDataset instead.`,
    );
  return rows.map((row, index) => fromRecord(row, `${path}, row ${index + 1}`, 'Write the name of a file.'));
}

const jsonAction = 'Write an object such as {"cat.jpg": "a cat"}.';

/**
 * Reads an object from file name to captions, an array of records, also as a field of an object, or the captions of COCO.
 */
function readJson(path: string, text: string): ListLine[] {
  const json = parseJsonObject(/^\s*\[\s*\{/.test(text) ? `{"records":${text}}` : text, path, jsonAction);
  if (Array.isArray(json.images) && Array.isArray(json.annotations))
    return fromCoco(json.images, json.annotations, path);
  const isListed = (item: unknown) => isRecord(item) && imageColumn(Object.keys(item)) !== undefined;
  const records = Object.values(json).find((value) => Array.isArray(value) && isListed(value[0]));
  if (Array.isArray(records)) return records.map((record, index) => fromItem(record, `${path}, item ${index + 1}`));
  return Object.entries(json).map(([name, value]) => {
    const captions = captionsFromValue(value) ?? (isRecord(value) ? captionsFromRecord(value) : undefined);
    return { place: path, name, captions };
  });
}

function fromItem(item: unknown, place: string): ListLine {
  return isRecord(item)
    ? fromRecord(item, place, lineAction)
    : { place, problem: `${place} must be an object, not ${describeValue(item)}. ${lineAction}` };
}

/** https://cocodataset.org/#format-data: images have an `id` and a `file_name`, annotations an `image_id` and a `caption`. */
function fromCoco(images: readonly unknown[], annotations: readonly unknown[], path: string): ListLine[] {
  const captions = new Map<unknown, string[]>();
  for (const annotation of annotations.filter(isRecord)) {
    const own = captionsFromRecord(annotation) ?? [];
    captions.set(annotation.image_id, [...(captions.get(annotation.image_id) ?? []), ...own]);
  }
  return images.map((image, index) => {
    const place = `${path}, image ${index + 1}`;
    const line = fromItem(image, place);
    return line.problem === undefined && isRecord(image) ? { ...line, captions: captions.get(image.id) ?? [] } : line;
  });
}
