import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ConfigError,
  type Field,
  field,
  integer,
  list,
  object,
  oneOf,
  parseJsonObject,
  quote,
  readConfig,
  string,
} from '@dalle-mini/core';
import { openFile, readTextIfPresent, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';
import { type EmojiVendor, emojiVendors } from './icons.js';
import { type EmojiSplit, emojiSplits } from './split.js';

/** What is known of a picture without reading its pixels. */
export interface EmojiEntry {
  /** `<set>/<icon name>`, unique. */
  readonly key: string;
  readonly vendor: EmojiVendor;
  /** Code points, such as `1F44D-1F3FD`. */
  readonly hexcode: string;
  /** The emoji's hexcode without skin tones and variation selectors, such as `1F44D`. */
  readonly concept: string;
  /** `<concept>/<set>`: the skin tones of one drawing share it. */
  readonly group: string;
  readonly split: EmojiSplit;
  /** At most 12, the plain label first. */
  readonly captions: readonly string[];
}

/** An emoji picture and what is known of it. */
export interface EmojiSample extends Sample, EmojiEntry {
  readonly group: string;
}

/** The file that says what a prepared folder holds; it is written last. */
export interface Manifest {
  readonly format: typeof manifestFormat;
  readonly imageSize: number;
  /** Names of the files beside it. */
  readonly pictures: string;
  readonly index: string;
  readonly length: number;
  /** What it was made from: a call that asks for the same finds it ready. */
  readonly source: string;
}

export const manifestFormat = 'dalle-mini-emoji';
export const manifestName = 'emoji.json';
const prepareAgain = 'Delete the folder and prepare the emoji again.';

/** A string that matches a pattern. */
function matching(pattern: RegExp, expected: string): Field<string> {
  return field(expected, (value) => typeof value === 'string' && pattern.test(value));
}

const manifestFields = object<Manifest>(
  {
    format: oneOf([manifestFormat]),
    imageSize: integer({ min: 8, max: 512 }),
    pictures: matching(/^pictures-[0-9a-f]{12}\.u8$/, 'a name such as pictures-0123456789ab.u8'),
    index: matching(/^index-[0-9a-f]{12}\.jsonl$/, 'a name such as index-0123456789ab.jsonl'),
    length: integer({ min: 1 }),
    source: string(),
  },
  { unknown: 'ignore' },
);

const hexcodeField = matching(/^[0-9A-F]+(-[0-9A-F]+)*$/, 'code points in hexadecimal');
const entryFields = object<EmojiEntry>(
  {
    key: string(),
    vendor: oneOf(emojiVendors),
    hexcode: hexcodeField,
    concept: hexcodeField,
    group: string(),
    split: oneOf(emojiSplits),
    captions: list(string(), { min: 1 }),
  },
  { unknown: 'ignore' },
);

/** Prepared emoji pictures: any picture is read from disk by its index, at once. Close it when done. */
export class EmojiDataset implements Dataset<EmojiSample> {
  readonly imageSize: number;
  readonly entries: readonly EmojiEntry[];

  /** Use {@link openEmoji} or {@link prepareEmoji}. */
  constructor(
    private readonly pictures: FileHandle,
    private readonly path: string,
    imageSize: number,
    entries: readonly EmojiEntry[],
    private readonly positions?: readonly number[],
  ) {
    this.imageSize = imageSize;
    this.entries = entries;
  }

  get length(): number {
    return this.entries.length;
  }

  async get(index: number): Promise<EmojiSample> {
    checkIndex(index, this.length);
    const size = this.imageSize ** 2 * 3;
    const data = new Uint8Array(size);
    const position = (this.positions?.[index] ?? index) * size;
    const { bytesRead } = await withFileErrors('read', this.path, () => this.pictures.read(data, 0, size, position));
    if (bytesRead !== size) {
      throw new DataError(`${this.path} ends before picture ${index}. ${prepareAgain}`);
    }
    return { ...this.entries[index]!, image: { width: this.imageSize, height: this.imageSize, data } };
  }

  /** The pictures of one split, or those that a predicate selects. It shares the open file: close one of the two. */
  subset(select: EmojiSplit | ((entry: EmojiEntry) => boolean)): EmojiDataset {
    const selects = typeof select === 'function' ? select : (entry: EmojiEntry) => entry.split === select;
    const kept: EmojiEntry[] = [];
    const positions: number[] = [];
    this.entries.forEach((entry, index) => {
      if (!selects(entry)) return;
      kept.push(entry);
      positions.push(this.positions?.[index] ?? index);
    });
    return new EmojiDataset(this.pictures, this.path, this.imageSize, kept, positions);
  }

  /** Closes the file of pictures; datasets from `subset` share it. */
  async close(): Promise<void> {
    await this.pictures.close();
  }
}

export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, manifestName);
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  return readConfig(manifestFields, parseJsonObject(text, path, prepareAgain), path, prepareAgain);
}

/** Reads the entries of a prepared folder, one a line. */
async function readEntries(path: string, length: number): Promise<EmojiEntry[]> {
  const text = await readTextIfPresent(path);
  if (text === undefined) throw new DataError(`${path} is missing. ${prepareAgain}`);
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length !== length) {
    throw new DataError(`${path} must have ${length} lines, not ${lines.length}. ${prepareAgain}`);
  }
  const keys = new Set<string>();
  return lines.map((line, number) => {
    const place = `${path}, line ${number + 1}`;
    const entry = readConfig(entryFields, parseJsonObject(line, place, prepareAgain), place, prepareAgain);
    if (keys.has(entry.key)) {
      throw new ConfigError(place, 'key', `must be unique, not ${quote(entry.key)} again. ${prepareAgain}`);
    }
    keys.add(entry.key);
    return entry;
  });
}

/**
 * Opens emoji that {@link prepareEmoji} has prepared; needs none of the packages that they were drawn from.
 * Throws if the folder holds no prepared emoji, or damaged ones.
 */
export async function openEmoji(folder: string): Promise<EmojiDataset> {
  const manifest = await readManifest(folder);
  if (!manifest)
    throw new DataError(`${folder} holds no prepared emoji: call prepareEmoji('${folder}', { imageSize }) first.`);
  const entries = await readEntries(join(folder, manifest.index), manifest.length);
  const path = join(folder, manifest.pictures);
  const pictures = await openFile(path);
  const { size } = await pictures.stat();
  const expected = manifest.length * manifest.imageSize ** 2 * 3;
  if (size !== expected) {
    await pictures.close();
    throw new DataError(`${path} must have ${expected} bytes, not ${size}. ${prepareAgain}`);
  }
  return new EmojiDataset(pictures, path, manifest.imageSize, entries);
}
