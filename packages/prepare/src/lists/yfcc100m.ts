import { DataError } from '@dalle-mini/data';
import { captionOfPhoto } from '../captions/clean.js';
import { readLines } from './lines.js';
import type { RawRow } from './row.js';

/** Lines of YFCC100M's metadata, of which a subset is a set of bits. */
const mostLines = 2 ** 31;

/**
 * Lists the photos of a subset of YFCC100M, such as the one of CLIP: https://github.com/openai/CLIP/blob/main/data/yfcc100m.md.
 *
 * @param subset TSV with the line number of each photo in the metadata, from 0, its identifier and its hash.
 * @param metadata The metadata of YFCC100M in order: TSV with the line number, the identifier, the hash, and 22 other columns.
 * @param clean Cleans title and description, before they are joined.
 * @returns Rows with the values URL, caption, and then those of {@link photoColumns}.
 */
export async function* readYfcc100m(
  subset: string,
  metadata: string,
  clean: (text: string) => string,
): AsyncGenerator<readonly RawRow[]> {
  const wanted = await readSubset(subset);
  let found = 0;
  for await (const lines of readLines(metadata)) {
    const rows: RawRow[] = [];
    for (const line of lines) {
      if (line === '') continue;
      const number = Number(line.slice(0, line.indexOf('\t')));
      if (!wanted.has(number)) continue;
      found++;
      rows.push({ number: number + 1, values: photoOf(line.split('\t'), clean) });
    }
    yield rows;
  }
  const message = `must be in ${metadata}; ${wanted.size - found} of ${wanted.size} photos are not`;
  for (; found < wanted.size; found++)
    yield [{ number: wanted.size, values: { problem: 'metadata-missing', message } }];
}

/** Columns that are kept of photos: https://multimediacommons.wordpress.com/yfcc100m-core-dataset/. */
export const photoColumns = ['photo_id', 'title', 'description', 'page_url', 'license_name', 'license_url'] as const;

function photoOf(fields: readonly string[], clean: (text: string) => string): RawRow['values'] {
  if (fields.length !== 25)
    return { problem: 'fields', message: `must have the 25 fields of YFCC100M's metadata, not ${fields.length}` };
  const title = clean(fields[8]!);
  const description = clean(fields[9]!);
  const [id, hash, page, license, licenseUrl] = [1, 2, 15, 17, 18].map((index) => fields[index]!);
  const caption = captionOfPhoto(title, description);
  return [photoUrl(hash!), caption, id, title, description, page, license, licenseUrl];
}

/** Returns the address of a photo in the public bucket of Multimedia Commons, where photos are JPEGs by their hash. */
function photoUrl(hash: string): string {
  const path = `${hash.slice(0, 3)}/${hash.slice(3, 6)}/${hash}.jpg`;
  return `https://multimedia-commons.s3-us-west-2.amazonaws.com/data/images/${path}`;
}

interface LineSet {
  readonly size: number;
  has(line: number): boolean;
}

/** Reads line numbers as one bit each: 12.5 MB for the 100 million lines of YFCC100M. */
async function readSubset(path: string): Promise<LineSet> {
  let bits = new Uint8Array(2 ** 24);
  let size = 0;
  for await (const lines of readLines(path)) {
    for (const text of lines) {
      if (text === '') continue;
      const line = Number.parseInt(text, 10);
      if (!(line >= 0 && line < mostLines))
        throw new DataError(
          `${path} must have lines that begin with a line number, not ${JSON.stringify(text.slice(0, 80))}.`,
        );
      while (line >>> 3 >= bits.length) bits = grown(bits);
      const bit = 1 << (line & 7);
      if ((bits[line >>> 3]! & bit) === 0) size++;
      bits[line >>> 3]! |= bit;
    }
  }
  return { size, has: (line) => (bits[line >>> 3]! & (1 << (line & 7))) !== 0 };
}

function grown(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
