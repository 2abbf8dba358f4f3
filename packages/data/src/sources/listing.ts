import { DalleMiniError } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';

/** A file, or a member of an archive. */
export interface SourceFile {
  /** The name in messages: a path, or `a.png in shards/0.tar`. */
  readonly name: string;
  /** The path of the file, or of the archive. */
  readonly path: string;
  /** Where the member's bytes begin in the archive; `undefined` for a file. */
  readonly offset?: number | undefined;
  /** In bytes. */
  readonly size: number;
  /** Last modification of the file or the archive, in milliseconds since 1970. */
  readonly modified: number;
  /** The same of the archive at `path`, which may be an unpacked copy: it must not change, because `offset` would be wrong. */
  readonly archiveModified?: number | undefined;
}

/** A file with captions: text, or a JSON object with `captions`, `caption` or `text`. */
export interface CaptionFile extends SourceFile {
  readonly format: 'text' | 'json';
}

/** A sample as it was found: where its image and its captions are. Neither has been read yet. */
export interface SourceEntry {
  /** Names the sample within its dataset: NFC, with forward slashes. */
  readonly key: string;
  readonly image: SourceFile;
  /** The captions, if a list names them: at least one. */
  readonly captions?: readonly string[] | undefined;
  /** The files with the captions, if no list names them. */
  readonly captionFiles: readonly CaptionFile[];
}

/** Why something that was found is not a sample. */
export type OmissionReason =
  | 'no-caption'
  | 'empty-caption'
  | 'no-image'
  | 'missing-file'
  | 'outside'
  | 'not-listed'
  | 'unreadable-list'
  | 'bad-line'
  | 'bad-encoding'
  | 'unreadable-caption'
  | 'unsupported-format'
  | 'unreadable-image'
  | 'git-lfs-pointer'
  | 'broken-link'
  | 'not-a-file'
  | 'too-large'
  | 'ambiguous'
  | 'damaged-archive'
  | 'duplicate';

/** The same in a few words. */
export const omissionReasons: Readonly<Record<OmissionReason, string>> = {
  'no-caption': 'no caption',
  'empty-caption': 'empty caption',
  'no-image': 'caption without an image',
  'missing-file': 'listed file is missing',
  outside: 'name that leads out of the folder',
  'not-listed': 'image that no list names',
  'unreadable-list': 'list cannot be read',
  'bad-line': 'line of a list cannot be read',
  'bad-encoding': 'text is damaged or in another encoding',
  'unreadable-caption': 'caption cannot be read',
  'unsupported-format': 'format cannot be read',
  'unreadable-image': 'image cannot be read',
  'git-lfs-pointer': 'Git LFS pointer',
  'broken-link': 'broken link',
  'not-a-file': 'link, pipe or device',
  'too-large': 'file is too large',
  ambiguous: 'several images or texts',
  'damaged-archive': 'archive cannot be read',
  duplicate: 'found twice',
};

/** Something that looks like a sample, or a part of one, and cannot be used. */
export interface Omission {
  /** The key that the sample would have. */
  readonly key: string;
  readonly reason: OmissionReason;
  /** Names the file, the line, and what to do. */
  readonly message: string;
}

/** A list that may make its items when they are asked for, so that ten million of them fit in memory. */
export interface SourceEntries {
  readonly length: number;
  get(index: number): SourceEntry;
}

/** What a source has: samples, in order, and what cannot be used. No image has been decoded. */
export interface Listing {
  /** The folder or the archives, for messages. */
  readonly source: string;
  readonly entries: SourceEntries;
  readonly omissions: readonly Omission[];
  /** What else is to be told: sentences about folders that were left out, and what was taken for what. */
  readonly notes: readonly string[];
  /** The encoding of text that is neither UTF-8 nor UTF-16. */
  readonly encoding?: string | undefined;
}

/** Returns entries that are all in memory. */
export function entriesOf(entries: readonly SourceEntry[]): SourceEntries {
  return { length: entries.length, get: (index) => entries[index]! };
}

/** A sample cannot be used. Its reason is that of the {@link Omission}. */
export class SampleError extends DataError {
  constructor(
    readonly reason: OmissionReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Errors of the system that say nothing about a file. */
const systemFaults: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EBUSY']);

/**
 * Returns why files cannot be used. Throws errors that are not those of the files.
 *
 * @param reason The reason, unless the error has one.
 */
export function problemOf(error: unknown, reason: OmissionReason): Pick<Omission, 'reason' | 'message'> {
  if (!(error instanceof DalleMiniError) || (error instanceof FileError && systemFaults.has(error.systemCode)))
    throw error;
  return { reason: error instanceof SampleError ? error.reason : reason, message: error.message };
}

/**
 * Reasons for which a dataset is not refused: it is complete without them. Downloads of datasets always miss some images, and
 * lists often name a part of a folder.
 */
export const harmless: ReadonlySet<OmissionReason> = new Set(['no-image', 'not-listed', 'duplicate']);
