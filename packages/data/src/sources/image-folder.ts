import {
  abortSignal,
  ConfigError,
  EncodingError,
  type Fields,
  list,
  object,
  oneOf,
  optional,
  quote,
  readOptions,
  string,
} from '@dalle-mini/core';
import { DataError } from '../data-error.js';
import { imageEndings, imageKind } from '../image-formats.js';
import { captionFormats } from './captions.js';
import { encodingField } from './encoding.js';
import { baseName, endingOf, folderOf } from './file-names.js';
import { type ImagePlaces, ListedImages, omitUnsupported, placesOf } from './listed-images.js';
import {
  type CaptionFile,
  entriesOf,
  type Listing,
  type Omission,
  type OmissionReason,
  type SourceEntry,
} from './listing.js';
import { captionFromName } from './name-captions.js';
import { type FileDataset, type OpenOptions, openDataset, openFields } from './open-dataset.js';
import { type FoundFiles, walkFolder } from './walk.js';

export interface ListImageFolderOptions {
  /**
   * The encoding of text that is neither UTF-8 nor UTF-16: a label of the Encoding Standard, such as `windows-1252` or
   * `shift_jis`. Without it, such text is refused.
   */
  readonly encoding?: string | undefined;
  /**
   * Where captions come from: `given` (default), from lists and text files; `file-names`, for images that have none there,
   * from their names: "red apple" for `red_apple-2.png`. Names such as `IMG_0042.jpg` give no caption.
   */
  readonly captions?: 'given' | 'file-names' | undefined;
  /** Paths of folders and files to leave out, such as the folder of a training run. */
  readonly exclude?: readonly string[] | undefined;
  /** Stops the search. */
  readonly signal?: AbortSignal | undefined;
}

export const listImageFolderFields: Fields<ListImageFolderOptions> = {
  encoding: optional(encodingField),
  captions: optional(oneOf(['given', 'file-names'])),
  exclude: optional(list(string())),
  signal: optional(abortSignal()),
};

/** Options of {@link openImageFolder}. */
export interface ImageFolderOptions extends OpenOptions, ListImageFolderOptions {}

/**
 * Opens a folder of images with captions. Captions are in lists or in a text file next to each image:
 *
 * 1. `metadata` or `captions` with the ending `.jsonl`, `.ndjson`, `.csv`, `.tsv`, `.parquet` or `.json` (as in Hugging Face's
 *    imagefolder), in the folder or in any folder below it. A list has a column of file names, relative to its own folder (`file_name`, `file`,
 *    `image`, `path`, …), and one of captions (`text`, `caption`, `captions`, …). `captions.json` is an object from file
 *    name to a caption or an array of captions. A folder with several lists has the first of these names.
 * 2. Text files: `cat.jpg` has its captions in `cat.txt`, `cat.caption` or `cat.jpg.txt`, one per line, or in `cat.json`.
 * 3. Without either, the one other file with such an ending that names images of the folder, such as COCO's
 *    `annotations/captions_train2017.json`.
 *
 * Lines of lists that name the same image are one sample with several captions. Links are followed. Hidden files, files
 * that operating systems add, and folders of training runs are left out.
 *
 * Samples are in the order of the lists, then of their paths. `get(index, variation)` reads, decodes and preprocesses one
 * image. `variation` (0 by default, for example the epoch) changes the random crop and flip.
 *
 * Every image is decoded once when the folder is opened, so that a damaged one does not end a training run. `report`
 * lists what cannot be used: images without a caption, names without an image or outside the folder, formats that cannot be
 * decoded, broken links, captions in another encoding, damaged lists. The indices of images that cannot be decoded are in
 * `skipped`, and `get` throws for them.
 *
 * @throws DataError if no image can be used, or if a sample cannot be used and `onError` is `fail`.
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
export async function openImageFolder(folder: string, options: ImageFolderOptions): Promise<FileDataset> {
  const fields = object<ImageFolderOptions>({ ...openFields, ...listImageFolderFields });
  const { encoding, captions, exclude, ...given } = readOptions(fields, options, 'openImageFolder');
  return openDataset(await listImageFolder(folder, { encoding, captions, exclude, signal: given.signal }), given);
}

/**
 * Lists the images of a folder with their captions, as {@link openImageFolder} finds them. It reads lists, but neither
 * images nor the text files next to them.
 */
export async function listImageFolder(folder: string, options: ListImageFolderOptions = {}): Promise<Listing> {
  const found = await walkFolder(folder, options);
  const places = placesOf(found);
  const listed = new ListedImages(folder, found, places);
  for (const name of await listNames(folder, found, places, options)) {
    try {
      await listed.read(name, options.encoding);
    } catch (error) {
      listed.refuse(name, error);
    }
  }
  const captioned = captionedImages(found, { listed, byName: options.captions === 'file-names' });
  const entries = [...listed.entries(), ...captioned.entries];
  const omissions = [...found.omissions, ...listed.omissions(), ...captioned.omissions];
  if (entries.length + omissions.length === 0) throw noImagesError(folder, found);
  const notes = [...found.excluded.map((path) => `${path} is left out.`), ...noteOfNames(captioned.named)];
  return { source: folder, entries: entriesOf(entries), omissions, notes, encoding: options.encoding };
}

function noteOfNames(named: readonly SourceEntry[]): string[] {
  const [first] = named;
  if (first === undefined) return [];
  return [`Captions from file names: ${named.length}, such as ${quote(first.captions![0]!)} from ${first.key}.`];
}

function noImagesError(folder: string, { files }: FoundFiles): DataError {
  const names = [...files.keys()];
  const has = (pattern: RegExp) => names.find((name) => pattern.test(name));
  const archive = has(/\.(tar|tar\.gz|tgz|parquet)$/i);
  if (archive)
    return new DataError(`${folder} has no images, but archives such as ${archive}. Open it as a WebDataset instead.`);
  const packed = has(/\.(zip|7z|rar|arrow|tfrecord)$/i);
  if (packed) return new DataError(`${folder} has no images, but ${packed}. Extract the images into the folder first.`);
  return new DataError(`${folder} has no images. Add files that end in ${[...imageEndings].join(', ')}.`);
}

const listEndings = ['jsonl', 'ndjson', 'csv', 'tsv', 'parquet', 'json'];
/** Lists that are read wherever they are; of a folder with several, the first. A `metadata.json` is often of something else. */
const usualLists = ['metadata', 'captions']
  .flatMap((name) => listEndings.flatMap((ending) => [`${name}.${ending}`, `${name}.${ending}.gz`]))
  .filter((name) => !name.startsWith('metadata.json') || name.startsWith('metadata.jsonl'));
const otherList = new RegExp(`\\.(${listEndings.join('|')})(\\.gz)?$|(^|/)captions\\.txt$`, 'i');
/** In bytes. Larger JSON files are not looked at, since most are of something else; nor are more than these. */
const largestOtherJson = 2 ** 28;
const mostOtherJson = 100;

/** Returns the names of the lists to read. */
async function listNames(
  folder: string,
  found: FoundFiles,
  places: ImagePlaces,
  options: ListImageFolderOptions,
): Promise<readonly string[]> {
  const byFolder = new Map<string, string>();
  for (const name of found.files.keys()) {
    const rank = (list: string) => usualLists.indexOf(baseName(list).toLowerCase());
    const best = byFolder.get(folderOf(name));
    if (rank(name) !== -1 && (best === undefined || rank(name) < rank(best))) byFolder.set(folderOf(name), name);
  }
  if (byFolder.size > 0) return [...byFolder.values()].sort();
  if (captionedImages(found).entries.length > 0) return [];
  const lists: string[] = [];
  let unread: EncodingError | undefined;
  for (const name of otherLists(found)) {
    const candidate = new ListedImages(folder, found, places);
    try {
      await candidate.read(name, options.encoding);
    } catch (error) {
      if (EncodingError.isInstance(error)) unread ??= error;
      // A table or JSON of something else is not an error.
      else if (!DataError.isInstance(error) && !ConfigError.isInstance(error)) throw error;
    }
    if (candidate.hasSamples) lists.push(name);
  }
  if (lists.length === 0 && unread) throw unread;
  if (lists.length > 1)
    throw new DataError(
      `${folder} has several lists of images, such as ${lists[0]} and ${lists[1]}. Rename the one to use to ${usualNameOf(lists[0]!)}.`,
    );
  return lists;
}

/** Returns the names of files that may be lists. */
function otherLists({ files }: FoundFiles): string[] {
  const names = [...files].filter(([name]) => otherList.test(name));
  const isJson = (name: string) => /\.json$/i.test(name);
  const hasMany = names.filter(([name]) => isJson(name)).length > mostOtherJson;
  return names
    .filter(([name, { size }]) => !isJson(name) || (!hasMany && size <= largestOtherJson))
    .map(([name]) => name);
}

/** A name under which a list is read before others. */
function usualNameOf(list: string): string {
  const [ending] = /\.[^.]*(\.gz)?$/.exec(list)!;
  return `captions${ending === '.txt' ? '.csv' : ending}`;
}

/** Text files that are about a dataset and not captions. */
const notCaptions = /(^|\/)(readme|licen[cs]e|notice|copying|changelog|citation|credits|requirements)[^/]*\.txt$/i;

/**
 * Finds the images with caption files next to them, among those that are not below the folder of a list. With `byName`,
 * other images have the captions that their names give: they are in `named` too.
 */
function captionedImages(
  { files }: FoundFiles,
  { listed, byName = false }: { readonly listed?: ListedImages; readonly byName?: boolean } = {},
): { entries: SourceEntry[]; named: SourceEntry[]; omissions: Omission[] } {
  const folders = listed?.folders ?? [];
  const isOutside = (name: string) => !folders.some((folder) => name.startsWith(folder));
  /** The caption files, by their names without ending. */
  const captions = new Map<string, { readonly name: string; readonly file: CaptionFile }[]>();
  const images: { readonly name: string; readonly stem: string; readonly kind: 'supported' | 'unsupported' }[] = [];
  for (const [name, file] of files) {
    const ending = endingOf(name);
    const stem = name.slice(0, name.length - ending.length);
    const kind = imageKind(ending);
    const format = captionFormats.get(ending.toLowerCase());
    if (kind) images.push({ name, stem, kind });
    if (format) captions.set(stem, [...(captions.get(stem) ?? []), { name, file: { ...file, format } }]);
  }
  const entries: SourceEntry[] = [];
  const named: SourceEntry[] = [];
  const omissions: Omission[] = [];
  const omit = (key: string, reason: OmissionReason, message: string) => omissions.push({ key, reason, message });
  const stems = new Set(images.flatMap(({ name, stem }) => [stem, name]));
  const supported = new Set(images.filter(({ kind }) => kind === 'supported').map(({ stem }) => stem));
  for (const { name, stem, kind } of images) {
    if (listed?.has(name)) continue;
    const { path } = files.get(name)!;
    const captionFiles = [...(captions.get(stem) ?? []), ...(captions.get(name) ?? [])].map(({ file }) => file);
    if (!isOutside(name)) omit(name, 'not-listed', `No list names ${path}. Add it to the list, or remove it.`);
    else if (kind === 'unsupported' && supported.has(stem))
      omit(name, 'duplicate', `${path} is left out: an image of another format has the same name.`);
    else if (kind === 'unsupported') omitUnsupported(omit, name, files);
    else if (captionFiles.length > 0) entries.push({ key: name, image: files.get(name)!, captionFiles });
    else {
      const caption = byName ? captionFromName(name) : undefined;
      if (caption === undefined) omit(name, 'no-caption', noCaption(path, stem, byName));
      else named.push({ key: name, image: files.get(name)!, captions: [caption], captionFiles: [] });
    }
  }
  for (const [stem, found] of captions) {
    for (const { name, file } of found) {
      if (stems.has(stem) || file.format === 'json' || !isOutside(name) || notCaptions.test(name)) continue;
      omit(name, 'no-image', `${file.path} has no image of the same name. Add the image, or remove the text.`);
    }
  }
  return { entries: [...entries, ...named].sort(byKey), named, omissions };
}

const byKey = (a: SourceEntry, b: SourceEntry) => (a.key < b.key ? -1 : 1);

function noCaption(path: string, stem: string, byName: boolean): string {
  const written = `Write it into ${stem}.txt, or list all captions in metadata.jsonl or captions.json`;
  return byName
    ? `${path} has no caption, and its name describes nothing. ${written}, or rename the file.`
    : `${path} has no caption. ${written}, or set captions to file-names.`;
}
