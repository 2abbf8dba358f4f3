import { readdir } from 'node:fs/promises';
import { extname, isAbsolute, join, posix, sep } from 'node:path';
import { hash, object, parseJsonObject, quote, readConfig, readOptions, string } from '@dalle-mini/core';
import { readBytes, readTextIfPresent, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';
import { type PreprocessOptions, preprocessFields, preprocessImage } from '../preprocess.js';
import { captionsFromRecord, captionsFromText, captionsFromValue, imageExtensions } from './captions.js';

/** An image file of the folder, by its path with forward slashes, and its captions if a file lists them. */
interface ListedImage {
  readonly name: string;
  readonly captions?: readonly string[] | undefined;
}

/**
 * Opens a folder of images with captions. It reads the first of these layouts that it finds:
 *
 * 1. `metadata.jsonl`, as in Hugging Face's imagefolder: one JSON object per line, with `file_name` and `text` (or
 *    `caption`, `captions`);
 * 2. `captions.json`: one object, from file name to a caption or an array of captions;
 * 3. images anywhere below the folder, each next to a text file of the same name, one caption per line.
 *
 * Samples are in the order of the list, or of their paths. `get(index, variation)` reads, decodes and preprocesses one
 * image. `variation` (0 by default, for example the epoch) changes the random crop and flip.
 *
 * @throws DataError if the folder has no images, if a listed file is missing or outside the folder, or if an image has
 *   no caption.
 * @throws FileError if the folder is missing.
 *
 * @example
 * ```ts
 * import { openImageFolder } from '@dalle-mini/data';
 *
 * const dataset = await openImageFolder('pictures', { imageSize: 64 });
 * const { key, image, captions } = await dataset.get(0);
 * console.log(dataset.length, key, image.width, captions);
 * ```
 */
export async function openImageFolder(folder: string, options: PreprocessOptions): Promise<Dataset> {
  const preprocessing = readOptions(preprocessFields, options, 'openImageFolder');
  const files = await listFiles(folder);
  const listed =
    (await readMetadataLines(folder, files)) ??
    (await readCaptionsFile(folder, files)) ??
    listCaptionedImages(folder, files);
  if (listed.length === 0) {
    throw new DataError(`${folder} has no images. Add files that end in ${[...imageExtensions].join(', ')}.`);
  }
  return {
    length: listed.length,
    async get(index: number, variation = 0): Promise<Sample> {
      checkIndex(index, listed.length);
      const { name, captions = await readCaptions(folder, name) } = listed[index]!;
      const path = join(folder, name);
      const encoded = await readBytes(path);
      const seed = hash(preprocessing.seed ?? 0, index, variation);
      return { key: name, image: await preprocessImage(encoded, path, { ...preprocessing, seed }, captions), captions };
    },
  };
}

/** Paths of all files below a folder, with forward slashes, sorted. */
async function listFiles(folder: string): Promise<ReadonlySet<string>> {
  const found = await withFileErrors('read', folder, () => readdir(folder, { recursive: true, withFileTypes: true }));
  const names = found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, sep).length).replaceAll(sep, '/'));
  return new Set(names.sort());
}

/** Returns the normal form of a listed name. Throws unless it is a file of the folder. */
function checkListedName(name: string, place: string, files: ReadonlySet<string>): string {
  const normal = posix.normalize(name.replaceAll('\\', '/'));
  if (isAbsolute(name) || normal.startsWith('/') || normal.split('/').includes('..') || /^[a-z]:/i.test(name)) {
    throw new DataError(
      `A file name in ${place} must be a path inside the folder, not ${quote(name)}. List only files inside it.`,
    );
  }
  if (!files.has(normal)) {
    throw new DataError(
      `A file name in ${place} must be that of a file in the folder, not ${quote(name)}. Add the file or remove its name.`,
    );
  }
  return normal;
}

const metadataAction = 'Write a line such as {"file_name": "cat.jpg", "text": "a cat"}.';
const metadataFields = object<{ file_name: string }>({ file_name: string() }, { unknown: 'ignore' });
const captionsAction = 'Write an object such as {"cat.jpg": "a cat"}.';

async function readMetadataLines(folder: string, files: ReadonlySet<string>): Promise<ListedImage[] | undefined> {
  const path = join(folder, 'metadata.jsonl');
  const text = await readTextIfPresent(path);
  return text?.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const place = `${path}, line ${index + 1}`;
    const record = parseJsonObject(line, place, metadataAction);
    const { file_name } = readConfig(metadataFields, record, place, metadataAction);
    const name = checkListedName(file_name, place, files);
    const captions = captionsFromRecord(record);
    if (!captions?.length) {
      throw new DataError(
        `${place} has no caption for ${name}. Add "text", "caption" or "captions" with at least one caption.`,
      );
    }
    return [{ name, captions }];
  });
}

async function readCaptionsFile(folder: string, files: ReadonlySet<string>): Promise<ListedImage[] | undefined> {
  const path = join(folder, 'captions.json');
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  return Object.entries(parseJsonObject(text, path, captionsAction)).map(([listedName, value]) => {
    const name = checkListedName(listedName, path, files);
    const captions = captionsFromValue(value);
    if (!captions?.length)
      throw new DataError(`${path} has no caption for ${name}. Write a string or an array of strings.`);
    return { name, captions };
  });
}

function listCaptionedImages(folder: string, files: ReadonlySet<string>): ListedImage[] {
  const images = [...files].filter((name) => imageExtensions.has(extname(name).toLowerCase()));
  const bare = images.filter((name) => !files.has(captionFile(name)));
  if (bare.length > 0) {
    throw new DataError(
      `${bare.length} of ${images.length} images in ${folder} have no caption, such as ${bare[0]}. ` +
        `Write it into ${captionFile(bare[0]!)}, or list all captions in metadata.jsonl or captions.json.`,
    );
  }
  return images.map((name) => ({ name }));
}

function captionFile(imageName: string): string {
  return `${imageName.slice(0, imageName.length - extname(imageName).length)}.txt`;
}

async function readCaptions(folder: string, imageName: string): Promise<string[]> {
  const path = join(folder, captionFile(imageName));
  const captions = captionsFromText((await readTextIfPresent(path)) ?? '');
  if (captions.length === 0) throw new DataError(`${path} has no caption. Write one per line.`);
  return captions;
}
