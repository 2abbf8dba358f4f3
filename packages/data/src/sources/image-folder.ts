import { readdir, stat } from 'node:fs/promises';
import { extname, isAbsolute, join, posix, sep } from 'node:path';
import { object, parseJsonObject, quote, readConfig, readOptions, string } from '@dalle-mini/core';
import { readTextIfPresent, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { captionsFromRecord, captionsFromValue, imageExtensions } from './captions.js';
import type { Listing, Omission, SourceEntry, SourceFile } from './listing.js';
import { type FileDataset, type OpenOptions, openDataset, openFields } from './open-dataset.js';

/** An image file of the folder, by its path with forward slashes, and its captions if a file lists them. */
interface ListedImage {
  readonly name: string;
  readonly captions?: readonly string[] | undefined;
}

/** What a list of captions names, and what it lacks. */
interface Listed {
  readonly images: readonly ListedImage[];
  readonly omissions: readonly Omission[];
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
 * Every image is decoded once when the folder is opened, so that a damaged one does not end a training run. `report`
 * lists what cannot be used. The indices of such images are in `skipped`, and `get` throws for them.
 *
 * @throws DataError if no image can be used, if a listed file is missing or outside the folder, or if a sample cannot be
 *   used and `onError` is `fail`.
 * @throws FileError if the folder is missing; the reason of `signal` if it aborts.
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
export async function openImageFolder(folder: string, options: OpenOptions): Promise<FileDataset> {
  const given = readOptions(openFields, options, 'openImageFolder');
  return openDataset(await listImageFolder(folder), given);
}

/** Lists the images of a folder with their captions, as {@link openImageFolder} finds them. */
export async function listImageFolder(folder: string): Promise<Listing> {
  const files = await listFiles(folder);
  const { images, omissions } =
    (await readMetadataLines(folder, files)) ??
    (await readCaptionsFile(folder, files)) ??
    listCaptionedImages(folder, files);
  if (images.length + omissions.length === 0) {
    throw new DataError(`${folder} has no images. Add files that end in ${[...imageExtensions].join(', ')}.`);
  }
  const entries: SourceEntry[] = [];
  for (const { name, captions } of images) {
    const captionFiles = captions
      ? []
      : [{ ...(await sourceFile(folder, captionFile(name))), format: 'text' as const }];
    entries.push({ key: name, image: await sourceFile(folder, name), captions, captionFiles });
  }
  return { source: folder, entries: { length: entries.length, get: (index) => entries[index]! }, omissions };
}

async function sourceFile(folder: string, name: string): Promise<SourceFile> {
  const path = join(folder, name);
  const { size, mtimeMs } = await withFileErrors('read', path, () => stat(path));
  return { name: path, path, size, modified: mtimeMs };
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

async function readMetadataLines(folder: string, files: ReadonlySet<string>): Promise<Listed | undefined> {
  const path = join(folder, 'metadata.jsonl');
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const images: ListedImage[] = [];
  const omissions: Omission[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const place = `${path}, line ${index + 1}`;
    const record = parseJsonObject(line, place, metadataAction);
    const { file_name } = readConfig(metadataFields, record, place, metadataAction);
    const name = checkListedName(file_name, place, files);
    const captions = captionsFromRecord(record);
    const message = `${place} has no caption for ${name}. Add "text", "caption" or "captions" with at least one caption.`;
    if (captions?.length) images.push({ name, captions });
    else omissions.push({ key: name, reason: 'empty-caption', message });
  });
  return { images, omissions };
}

async function readCaptionsFile(folder: string, files: ReadonlySet<string>): Promise<Listed | undefined> {
  const path = join(folder, 'captions.json');
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const images: ListedImage[] = [];
  const omissions: Omission[] = [];
  for (const [listedName, value] of Object.entries(parseJsonObject(text, path, captionsAction))) {
    const name = checkListedName(listedName, path, files);
    const captions = captionsFromValue(value);
    const message = `${path} has no caption for ${name}. Write a string or an array of strings.`;
    if (captions?.length) images.push({ name, captions });
    else omissions.push({ key: name, reason: 'empty-caption', message });
  }
  return { images, omissions };
}

function listCaptionedImages(folder: string, files: ReadonlySet<string>): Listed {
  const names = [...files].filter((name) => imageExtensions.has(extname(name).toLowerCase()));
  const bare = names.filter((name) => !files.has(captionFile(name)));
  const omissions = bare.map((name): Omission => {
    const message = `${join(folder, name)} has no caption. Write it into ${captionFile(name)}, or list all captions in metadata.jsonl or captions.json.`;
    return { key: name, reason: 'no-caption', message };
  });
  return { images: names.filter((name) => files.has(captionFile(name))).map((name) => ({ name })), omissions };
}

function captionFile(imageName: string): string {
  return `${imageName.slice(0, imageName.length - extname(imageName).length)}.txt`;
}
