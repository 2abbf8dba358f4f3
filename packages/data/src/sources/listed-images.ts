import { isAbsolute, posix, relative, resolve, sep } from 'node:path';
import { quote } from '@dalle-mini/core';
import { convertAction, imageKind, unsupportedEndings } from '../image-formats.js';
import { checkCaptions } from './captions.js';
import { baseName, endingOf, folderOf } from './file-names.js';
import { type Omission, type OmissionReason, problemOf, SampleError, type SourceEntry } from './listing.js';
import { type ListLine, readList } from './lists.js';
import type { FoundFiles } from './walk.js';

/** Where the images of a folder are, for lists that do not give their whole path. */
export interface ImagePlaces {
  /** Names of images by their last part, with and without the ending. `undefined` if several images have it. */
  readonly byBaseName: ReadonlyMap<string, string | undefined>;
  /** The folders that have images, in themselves or in folders below. */
  readonly folders: ReadonlySet<string>;
}

export function placesOf({ files }: FoundFiles): ImagePlaces {
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
export class ListedImages {
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

/** Leaves out an image whose format cannot be decoded. */
export function omitUnsupported(
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
