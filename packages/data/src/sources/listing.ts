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

/** What does not keep a dataset from being used. */
const harmless: ReadonlySet<OmissionReason> = new Set(['no-image']);
const shownMessages = 5;

/**
 * Throws if a listing has something that cannot be used. A caption without an image is an error only if there are no
 * samples: downloads of datasets always miss some images.
 *
 * @throws DataError that counts what cannot be used, and gives examples.
 */
export function refuseOmissions({ source, entries, omissions }: Listing): void {
  const refused = entries.length === 0 ? omissions : omissions.filter(({ reason }) => !harmless.has(reason));
  if (refused.length === 0) return;
  const counts = new Map<OmissionReason, number>();
  for (const { reason } of refused) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const reasons = [...counts].map(([reason, count]) => `${omissionReasons[reason]}: ${count}`).join(', ');
  const messages = refused.slice(0, shownMessages).map(({ message }) => message);
  const total = entries.length + refused.length;
  throw new DataError(
    `${refused.length} of ${total} samples in ${source} cannot be used (${reasons}). ${messages.join(' ')}`,
  );
}
