import { isAbsolute, posix, relative, resolve, sep } from 'node:path';
import {
  abortSignal,
  ConfigError,
  EncodingError,
  type Fields,
  list,
  object,
  optional,
  quote,
  readOptions,
  string,
} from '@dalle-mini/core';
import { DataError } from '../data-error.js';
import { convertAction, imageEndings, imageKind, unsupportedEndings } from '../image-formats.js';
import { captionFormats, checkCaptions } from './captions.js';
import { encodingField } from './encoding.js';
import {
  type CaptionFile,
  entriesOf,
  type Listing,
  type Omission,
  type OmissionReason,
  problemOf,
  SampleError,
  type SourceEntry,
} from './listing.js';
import { type ListLine, readList } from './lists.js';
import { type FileDataset, type OpenOptions, openDataset, openFields } from './open-dataset.js';
import { type FoundFiles, walkFolder } from './walk.js';

export interface ListImageFolderOptions {
  /**
   * The encoding of text that is neither UTF-8 nor UTF-16: a label of the Encoding Standard, such as `windows-1252` or
   * `shift_jis`. Without it, such text is refused.
   */
  readonly encoding?: string | undefined;
  /** Paths of folders and files to leave out, such as the folder of a training run. */
  readonly exclude?: readonly string[] | undefined;
  /** Stops the search. */
  readonly signal?: AbortSignal | undefined;
}

export const listImageFolderFields: Fields<ListImageFolderOptions> = {
  encoding: optional(encodingField),
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
  const { encoding, exclude, ...given } = readOptions(fields, options, 'openImageFolder');
  return openDataset(await listImageFolder(folder, { encoding, exclude, signal: given.signal }), given);
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
  const captioned = captionedImages(found, listed);
  const entries = [...listed.entries(), ...captioned.entries];
  const omissions = [...found.omissions, ...listed.omissions(), ...captioned.omissions];
  if (entries.length + omissions.length === 0) throw noImagesError(folder, found);
  const notes = found.excluded.map((path) => `${path} is left out.`);
  return { source: folder, entries: entriesOf(entries), omissions, notes, encoding: options.encoding };
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

/** The folder of a file, with a slash at the end; empty at the top. */
const folderOf = (name: string) => name.slice(0, name.lastIndexOf('/') + 1);
const endingOf = (name: string) => /\.[^./]*$/.exec(name)?.[0] ?? '';
const baseName = (name: string) => name.slice(folderOf(name).length);

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

/** Where the images of a folder are, for lists that do not give their whole path. */
interface ImagePlaces {
  /** Names of images by their last part, with and without the ending. `undefined` if several images have it. */
  readonly byBaseName: ReadonlyMap<string, string | undefined>;
  /** The folders that have images, in themselves or in folders below. */
  readonly folders: ReadonlySet<string>;
}

function placesOf({ files }: FoundFiles): ImagePlaces {
  const byBaseName = new Map<string, string | undefined>();
  const folders = new Set<string>();
  for (const name of files.keys()) {
    const ending = endingOf(name);
    if (imageKind(ending) === undefined) continue;
    const base = baseName(name);
    for (const key of [base, base.slice(0, base.length - ending.length)])
      byBaseName.set(key, byBaseName.has(key) ? undefined : name);
    for (let folder = folderOf(name); folder !== '' && !folders.has(folder); folder = folderOf(folder.slice(0, -1)))
      folders.add(folder);
  }
  return { byBaseName, folders };
}

/** Images that lists name, with the captions of all lines that name them. */
class ListedImages {
  private readonly problems: Omission[] = [];
  /** The folders of the lists. */
  readonly folders: string[] = [];
  private readonly named = new Set<string>();
  private readonly captions = new Map<string, string[]>();
  /** Images with a damaged caption. */
  private readonly damaged = new Set<string>();
  /** Images whose lines have no caption, with a message. */
  private readonly bare = new Map<string, string>();
  private readonly omitted: ReadonlySet<string>;

  constructor(
    private readonly root: string,
    private readonly found: FoundFiles,
    private readonly places: ImagePlaces,
  ) {
    this.omitted = new Set(found.omissions.map(({ key }) => key));
  }

  /** Whether a list names an image, also if it cannot be used. */
  has(name: string): boolean {
    return this.named.has(name);
  }

  /** Whether lists have captions of images of the folder, also if they are damaged. */
  get hasSamples(): boolean {
    return this.captions.size + this.damaged.size > 0;
  }

  entries(): SourceEntry[] {
    return [...this.captions].map(([key, captions]) => {
      return { key, image: this.found.files.get(key)!, captions, captionFiles: [] };
    });
  }

  /** Reads a list. */
  async read(listName: string, encoding: string | undefined): Promise<void> {
    const file = this.found.files.get(listName)!;
    const folder = folderOf(listName);
    const lines = await readList(file, encoding);
    this.folders.push(folder);
    for (const line of lines) this.add(line, folder, file.path);
  }

  /** Leaves out a list. Throws errors that are not those of the list. */
  refuse(listName: string, error: unknown): void {
    this.problems.push({ key: listName, ...problemOf(error, 'unreadable-list') });
  }

  omissions(): Omission[] {
    const bare = [...this.bare].filter(([key]) => !this.captions.has(key) && !this.damaged.has(key));
    return [...this.problems, ...bare.map(([key, message]): Omission => ({ key, reason: 'empty-caption', message }))];
  }

  private add(line: ListLine, folder: string, path: string): void {
    const { place, name: given, captions, problem, reason = 'bad-line' } = line;
    const omit = (key: string, reason: OmissionReason, message: string) => this.problems.push({ key, reason, message });
    const lineKey = place.replace(path, `${folder}${baseName(path.replaceAll(sep, '/'))}`);
    if (given === undefined) return void omit(lineKey, reason, problem ?? place);
    if (problem === undefined && this.leadsOut(given, folder)) {
      const message = `A file name in ${place} must be a path inside the folder, not ${quote(given)}. List only files inside it.`;
      return void omit(lineKey, 'outside', message);
    }
    const name = this.resolve(given, folder);
    if (problem !== undefined) {
      if (name !== undefined) this.leaveOut(name);
      return void omit(name ?? lineKey, reason, problem);
    }
    if (name === undefined) {
      const key = posix.join(folder, given.replaceAll('\\', '/')).normalize('NFC');
      // A broken link or a pipe, which is known already.
      if (this.omitted.has(key)) return;
      const message = `A file name in ${place} must be that of a file in the folder, not ${quote(given)}. Add the file or remove its name.`;
      return void omit(key, 'missing-file', message);
    }
    const isKnown = this.named.has(name);
    this.named.add(name);
    if (imageKind(endingOf(name)) === 'unsupported') {
      if (!isKnown) omitUnsupported(omit, name, this.found.files);
      return;
    }
    if (this.damaged.has(name)) return;
    if (!captions?.length) {
      const action = 'Add "text", "caption" or "captions" with at least one caption.';
      if (!this.bare.has(name)) this.bare.set(name, `${place} has no caption for ${name}. ${action}`);
      return;
    }
    try {
      checkCaptions(captions, place);
      const known = this.captions.get(name) ?? [];
      this.captions.set(name, [...known, ...captions.filter((caption) => !known.includes(caption))]);
    } catch (error) {
      if (!(error instanceof SampleError)) throw error;
      this.leaveOut(name);
      omit(name, error.reason, error.message);
    }
  }

  private leaveOut(name: string): void {
    this.named.add(name);
    this.damaged.add(name);
    this.captions.delete(name);
  }

  /** Checks whether a list names a file outside the root. */
  private leadsOut(given: string, folder: string): boolean {
    const [path] = this.pathsOf(given, folder) as [string];
    return path.split('/').includes('..') || isAbsolute(path) || /^[a-z]:/i.test(path);
  }

  /** Finds the file that a list names: below the folder of the list, or else below the root. */
  private resolve(given: string, folder: string): string | undefined {
    const exact = this.pathsOf(given, folder).find((name) => this.found.files.has(name));
    if (exact !== undefined) return exact;
    const name = given.replaceAll('\\', '/');
    const only = name.includes('/') ? undefined : this.places.byBaseName.get(name.normalize('NFC'));
    // A list in a folder of lists, as in COCO's annotations, is of images elsewhere.
    return only?.startsWith(folder) || !this.places.folders.has(folder) ? only : undefined;
  }

  /** The paths below the root that a list may mean with a name. */
  private pathsOf(given: string, folder: string): string[] {
    const slashed = given.replaceAll('\\', '/');
    const paths = isAbsolute(given)
      ? [relative(resolve(this.root), given).replaceAll(sep, '/')]
      : [posix.join(folder, slashed), posix.normalize(slashed)];
    return paths.map((path) => path.normalize('NFC'));
  }
}

function omitUnsupported(
  omit: (key: string, reason: OmissionReason, message: string) => void,
  name: string,
  files: FoundFiles['files'],
): void {
  const format = unsupportedEndings.get(endingOf(name).toLowerCase());
  omit(
    name,
    'unsupported-format',
    `${files.get(name)!.path} is a ${format} image, which cannot be read. ${convertAction}`,
  );
}

/** Text files that are about a dataset and not captions. */
const notCaptions = /(^|\/)(readme|licen[cs]e|notice|copying|changelog|citation|credits|requirements)[^/]*\.txt$/i;

/** Finds the images with caption files next to them, among those that are not below the folder of a list. */
function captionedImages(
  { files }: FoundFiles,
  listed?: ListedImages,
): { entries: SourceEntry[]; omissions: Omission[] } {
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
      const action = `Write it into ${stem}.txt, or list all captions in metadata.jsonl or captions.json.`;
      omit(name, 'no-caption', `${path} has no caption. ${action}`);
    }
  }
  for (const [stem, found] of captions) {
    for (const { name, file } of found) {
      if (stems.has(stem) || file.format === 'json' || !isOutside(name) || notCaptions.test(name)) continue;
      omit(name, 'no-image', `${file.path} has no image of the same name. Add the image, or remove the text.`);
    }
  }
  return { entries, omissions };
}
