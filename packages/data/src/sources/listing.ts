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

/** Why something that was found is not a sample, in a few words. */
export const omissionReasons = {
  'no-caption': 'no caption',
  'empty-caption': 'empty caption',
  'unreadable-caption': 'caption cannot be read',
  'no-image': 'caption without an image',
  'unreadable-image': 'image cannot be read',
} as const;

export type OmissionReason = keyof typeof omissionReasons;

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

/** Reasons for which a dataset is not refused: downloads of datasets always miss some images. */
export const harmless: ReadonlySet<OmissionReason> = new Set(['no-image']);
