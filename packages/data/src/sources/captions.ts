import { quote } from '@dalle-mini/core';
import { SampleError } from './listing.js';

/**
 * Names of the fields and columns that lists and JSON files have, the most specific first. They are compared in lower case,
 * with underscores for spaces and hyphens.
 */
const imageColumns = [
  'file_name',
  'filename',
  'file',
  'image_file_name',
  'image_file',
  'image_filename',
  'image_path',
  'image_name',
  'image',
  'img',
  'img_path',
  'path',
  'file_path',
  'filepath',
];
const captionColumns = [
  'captions',
  'caption',
  'text',
  'texts',
  'prompt',
  'description',
  'sentences',
  'sentence',
  'comment',
  'alt_text',
  'alt',
  'title',
  // Of Karpathy's splits of COCO and Flickr, and of DiffusionDB.
  'raw',
  'p',
];
/** Columns that have one of several captions each, such as `caption_0`. */
const numberedCaption = /^(caption|text|sentence)_?\d+$/;

const simpleName = (name: string) =>
  name
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, '_');

/** The names of some columns, for error messages. */
export const columnNames = {
  image: imageColumns.slice(0, 3).join(', '),
  caption: captionColumns.slice(1, 4).join(', '),
};

function findColumns(names: readonly string[], known: readonly string[]): string[] {
  return known.flatMap((column) => names.filter((name) => simpleName(name) === column));
}

/** Finds the column with the file names. */
export function imageColumn(names: readonly string[]): string | undefined {
  return findColumns(names, imageColumns)[0];
}

/** Finds the columns that may have captions: of the first that is not empty, or all of the numbered ones. */
export function captionColumnsOf(names: readonly string[]): string[] {
  const found = findColumns(names, captionColumns);
  return found.length > 0 ? found : names.filter((name) => numberedCaption.test(simpleName(name)));
}

/** Endings of the names of caption files, in lower case. */
export const captionFormats: ReadonlyMap<string, 'text' | 'json'> = new Map([
  ['.txt', 'text'],
  ['.caption', 'text'],
  ['.json', 'json'],
]);

/** Returns the captions of a text: one per line, without blank lines. */
export function captionsFromText(text: string): string[] {
  return notBlank(text.split(/\r\n|\r|\n/));
}

/**
 * Returns the captions of a string, an array of strings or one of records, without blank ones; `undefined` for other values.
 * A string is one caption: a line break in it becomes a space.
 */
export function captionsFromValue(value: unknown): string[] | undefined {
  if (Array.isArray(value) && value.length > 0 && value.every(isRecord)) {
    const captions = value.map(captionsFromRecord);
    return captions.every((own) => own !== undefined) ? captions.flat() : undefined;
  }
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((item): item is string => typeof item === 'string')) return undefined;
  return notBlank(list.map((caption) => caption.replace(/\s*[\r\n\v\f\u0085\u2028\u2029]\s*/g, ' ')));
}

/** Returns the captions of a JSON object or of a row: of the first column that is known and has a value. */
export function captionsFromRecord(record: Readonly<Record<string, unknown>>): string[] | undefined {
  const names = Object.keys(record).filter((name) => record[name] !== null && record[name] !== undefined);
  const columns = captionColumnsOf(names);
  if (columns.length === 0) return undefined;
  if (!numberedCaption.test(simpleName(columns[0]!))) return captionsFromValue(record[columns[0]!]);
  const all = columns.map((name) => captionsFromValue(record[name]));
  return all.every((captions) => captions !== undefined) ? all.flat() : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notBlank(captions: readonly string[]): string[] {
  return captions.map((caption) => caption.trim()).filter((caption) => caption !== '');
}

/**
 * Refuses captions that were damaged before: with a replacement character, NUL or half of a surrogate pair.
 *
 * @throws SampleError that names the place and the caption.
 */
export function checkCaptions(captions: readonly string[], place: string): readonly string[] {
  const damaged = captions.find((caption) => /[\0\ufffd]/.test(caption) || !isWellFormed(caption));
  if (damaged === undefined) return captions;
  throw new SampleError(
    'bad-encoding',
    `${place} has a damaged caption, ${quote(damaged)}: a character was lost when the text was converted. Correct it.`,
  );
}

function isWellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}
