import { ConfigError, decodeText, EncodingError, hash, parseJsonObject } from '@dalle-mini/core';
import { openFile, readBytes, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';
import { isLfsPointer, lfsAction } from '../image-formats.js';
import { type PreprocessOptions, preprocessImage } from '../preprocess.js';
import { captionsFromRecord, captionsFromText, checkCaptions } from './captions.js';
import { type CaptionFile, type Listing, SampleError, type SourceEntry, type SourceFile } from './listing.js';
import { readExactly } from './tar-index.js';

/** Makes a dataset of a listing. Images and captions are read when a sample is asked for. */
export function openListing({ entries, source, encoding }: Listing, preprocessing: PreprocessOptions): Dataset {
  const { length } = entries;
  if (length === 0) throw new DataError(`${source} has no samples. Add images with captions.`);
  return {
    length,
    async get(index: number, variation = 0): Promise<Sample> {
      checkIndex(index, length);
      const entry = entries.get(index);
      const captions = await readCaptions(entry, encoding);
      const encoded = await readImage(entry);
      const seed = hash(preprocessing.seed ?? 0, index, variation);
      const image = await preprocessImage(encoded, entry.image.name, { ...preprocessing, seed }, captions);
      return { key: entry.key, image, captions };
    },
  };
}

/**
 * Reads the bytes of a sample's image, without decoding it.
 *
 * @throws SampleError if it is a Git LFS pointer; FileError if the file cannot be read.
 */
export async function readImage({ image }: SourceEntry): Promise<Uint8Array> {
  return refusePointer(await readSourceFile(image), image);
}

/**
 * Reads the captions of a sample, without its image.
 *
 * Text files have one caption per line, and all of them count. Where a JSON file has the same words, as in datasets of
 * img2dataset, it tells which line breaks are part of a caption. Otherwise JSON counts only without captions in text files.
 *
 * @param encoding Of text that is neither UTF-8 nor UTF-16.
 * @throws SampleError if there are none, or if they are damaged or in another encoding; FileError if a file cannot be read.
 */
export async function readCaptions(entry: SourceEntry, encoding?: string): Promise<readonly string[]> {
  if (entry.captions) return entry.captions;
  const { captionFiles } = entry;
  const lines: string[] = [];
  for (const file of captionFiles.filter(({ format }) => format === 'text')) {
    const found = checkCaptions(captionsFromText(await readText(file, encoding)), file.name);
    const known = new Set(lines);
    lines.push(...found.filter((caption) => !known.has(caption)));
  }
  const json = captionFiles.find(({ format }) => format === 'json');
  const values = json && (await readJsonCaptions(json, encoding, lines.length > 0));
  const words = (captions: readonly string[]) => captions.join(' ').replace(/\s+/g, ' ');
  const captions = values && (lines.length === 0 || words(values) === words(lines)) ? values : lines;
  if (captions.length > 0) return captions;
  const names = captionFiles.map(({ name }) => name).join(' and ');
  const verb = captionFiles.length === 1 ? 'has' : 'have';
  throw new SampleError('empty-caption', `${names} ${verb} no caption. Write one per line, or JSON with "caption".`);
}

/** @param isOptional Whether other files have captions: then a JSON file may be of something else. */
async function readJsonCaptions(
  file: CaptionFile,
  encoding: string | undefined,
  isOptional: boolean,
): Promise<readonly string[] | undefined> {
  try {
    const text = await readText(file, encoding);
    const captions = captionsFromRecord(parseJsonObject(text, file.name, 'Write JSON such as {"caption": "a cat"}.'));
    return captions && checkCaptions(captions, file.name);
  } catch (error) {
    if (isOptional && (error instanceof SampleError || ConfigError.isInstance(error))) return undefined;
    if (ConfigError.isInstance(error)) throw new SampleError('unreadable-caption', error.message, { cause: error });
    throw error;
  }
}

async function readText(file: SourceFile, encoding: string | undefined): Promise<string> {
  const bytes = refusePointer(await readSourceFile(file), file);
  try {
    return decodeText(bytes, file.name, encoding);
  } catch (error) {
    throw EncodingError.isInstance(error) ? new SampleError('bad-encoding', error.message, { cause: error }) : error;
  }
}

function refusePointer(bytes: Uint8Array, { name }: SourceFile): Uint8Array {
  if (isLfsPointer(bytes)) throw new SampleError('git-lfs-pointer', `${name} cannot be read. ${lfsAction}`);
  return bytes;
}

/**
 * Reads the bytes of a file, or of a member of an archive.
 *
 * @throws DataError if the archive has changed since it was listed; FileError if it cannot be read.
 */
export async function readSourceFile({ path, offset, size, archiveModified }: SourceFile): Promise<Uint8Array> {
  if (offset === undefined) return readBytes(path);
  const file = await openFile(path);
  try {
    return await withFileErrors('read', path, async () => {
      if ((await file.stat()).mtimeMs !== archiveModified)
        throw new DataError(`${path} has changed since the dataset was opened. Open the dataset again.`);
      return readExactly(file, path, offset, size);
    });
  } finally {
    await file.close();
  }
}
