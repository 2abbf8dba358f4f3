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

/** The description of a picture, without its pixels. */
export interface EmojiEntry {
  /** `<set>/<icon name>`, unique. */
  readonly key: string;
  readonly vendor: EmojiVendor;
  /** Code points, such as `1F44D-1F3FD`. */
  readonly hexcode: string;
  /** The emoji's hexcode without skin tones and variation selectors, such as `1F44D`. */
  readonly concept: string;
  /** `<concept>/<set>`, the same for all skin tones of one drawing. */
  readonly group: string;
  readonly split: EmojiSplit;
  /** At most 12, the plain label first. */
  readonly captions: readonly string[];
}

/** An emoji picture and its description. */
export interface EmojiSample extends Sample, EmojiEntry {
  readonly group: string;
}

/** The file that describes a prepared folder; it is written last. */
export interface Manifest {
  readonly format: typeof manifestFormat;
  readonly imageSize: number;
  /** File names within the folder. */
  readonly pictures: string;
  readonly index: string;
  readonly length: number;
  /** Hash of the options and package versions: a call with the same ones opens the folder as it is. */
  readonly source: string;
}

export const manifestFormat = 'dalle-mini-emoji';
export const manifestName = 'emoji.json';
const prepareAgain = 'Delete the folder and prepare the emoji again.';

/** Makes a field for strings that match a pattern. */
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

/** Prepared emoji pictures. Each is read from disk by its index. Close the dataset after use. */
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

  /**
   * Returns the pictures of one split, or those that a predicate selects. The result shares the open file: close only
   * one of the two datasets.
   */
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

  /** Closes the file of pictures, also for the datasets from `subset`. */
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

/** Reads the entries of a prepared folder, one per line. */
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
 * Opens emoji that {@link prepareEmoji} has prepared. The packages with the icons need not be installed.
 *
 * @throws DataError if the folder has no prepared emoji, or if they are damaged.
 */
export async function openEmoji(folder: string): Promise<EmojiDataset> {
  const manifest = await readManifest(folder);
  if (!manifest)
    throw new DataError(`${folder} has no prepared emoji. Call prepareEmoji('${folder}', { imageSize }) first.`);
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
