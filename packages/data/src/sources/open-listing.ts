import { hash, parseJsonObject } from '@dalle-mini/core';
import { openFile, readBytes, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';
import { type PreprocessOptions, preprocessImage } from '../preprocess.js';
import { captionsFromRecord, captionsFromText } from './captions.js';
import { type Listing, SampleError, type SourceEntry, type SourceFile } from './listing.js';
import { readExactly } from './tar-index.js';

/** Makes a dataset of a listing. Images and captions are read when a sample is asked for. */
export function openListing({ entries, source }: Listing, preprocessing: PreprocessOptions): Dataset {
  const { length } = entries;
  if (length === 0) throw new DataError(`${source} has no samples. Add images with captions.`);
  return {
    length,
    async get(index: number, variation = 0): Promise<Sample> {
      checkIndex(index, length);
      const entry = entries.get(index);
      const captions = await readCaptions(entry);
      const encoded = await readSourceFile(entry.image);
      const seed = hash(preprocessing.seed ?? 0, index, variation);
      const image = await preprocessImage(encoded, entry.image.name, { ...preprocessing, seed }, captions);
      return { key: entry.key, image, captions };
    },
  };
}

/**
 * Reads the captions of a sample, without its image.
 *
 * @throws SampleError if there are none; ConfigError if a file is not JSON; FileError if a file cannot be read.
 */
export async function readCaptions(entry: SourceEntry): Promise<readonly string[]> {
  if (entry.captions) return entry.captions;
  const file = entry.captionFiles[0]!;
  const text = new TextDecoder().decode(await readSourceFile(file));
  const captions =
    file.format === 'json' ? captionsFromRecord(parseJsonObject(text, file.name, jsonAction)) : captionsFromText(text);
  if (captions?.length) return captions;
  throw new SampleError('empty-caption', `${file.name} has no caption. Write one per line, or JSON with "caption".`);
}

const jsonAction = 'Write JSON such as {"caption": "a cat"}.';

/** Reads the bytes of a file, or of a member of an archive. */
export async function readSourceFile({ path, offset, size }: SourceFile): Promise<Uint8Array> {
  if (offset === undefined) return readBytes(path);
  const file = await openFile(path);
  try {
    return await withFileErrors('read', path, () => readExactly(file, path, offset, size));
  } finally {
    await file.close();
  }
}
