import { availableParallelism } from 'node:os';
import { abortSignal, boolean, callback, type Fields, oneOf, optional, type Progress, string } from '@dalle-mini/core';
import { hashOf } from '../content-hash.js';
import { preprocessImage } from '../preprocess.js';
import { type Listing, type Omission, problemOf, type SourceEntry } from '../sources/listing.js';
import { readCaptions, readImage } from '../sources/open-listing.js';
import { type ImageCheck, ImageChecks } from './image-checks.js';
import type { DatasetReport } from './report.js';

/** Options of opening a dataset of files. */
export interface ScanOptions {
  /**
   * What to do with samples that cannot be used, such as an image that is cut off or an empty caption. `skip` (default)
   * leaves them out; opening fails only if none remains. `fail` refuses the dataset.
   */
  readonly onError?: 'skip' | 'fail' | undefined;
  /**
   * Whether to decode each image once when the dataset is opened. Default true. Without it, an image that cannot be
   * decoded is an error of `get`, and copies of an image are not known as such.
   */
  readonly scan?: boolean | undefined;
  /**
   * The folder for the results of scans, so that only new and changed files are decoded at the next opening. Default:
   * `dalle-mini/scans` in the user's folder for caches, such as `~/.cache`, for 100 images or more.
   */
  readonly scanFolder?: string | undefined;
  /** Called after each sample of the scan. */
  readonly onProgress?: ((progress: ScanProgress) => unknown) | undefined;
  /**
   * Called with the report of the dataset before it is returned. Without it, samples that are left out are named in a
   * warning of the process.
   */
  readonly onReport?: ((report: DatasetReport) => unknown) | undefined;
  /**
   * Stops the scan: the promise rejects with the signal's reason. What was scanned is kept for the next opening, also if the
   * process is killed, except the last seconds.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Number of scanned samples, or before that of archives whose headers were read. */
export interface ScanProgress extends Progress {
  readonly stage: 'scan';
  readonly unit: 'samples' | 'files';
}

export const scanFields: Fields<ScanOptions> = {
  onError: optional(oneOf(['skip', 'fail'])),
  scan: optional(boolean()),
  scanFolder: optional(string()),
  onProgress: optional(callback()),
  onReport: optional(callback()),
  signal: optional(abortSignal()),
};

/** What a scan knows of the sample at an index. */
export interface ScannedSample {
  /** Hash of the image file's bytes. */
  readonly image: string;
  /** Hash of each caption. */
  readonly captions: readonly string[];
  readonly omission?: Omission | undefined;
}

/** Width and height in pixels to which a scan decodes an image. JPEGs are decoded faster at reduced size. */
const scanSize = 16;

/**
 * Reads the captions and decodes the image of every sample, several at a time.
 *
 * @returns What is known of each sample, in the order of the listing.
 * @throws FileError if the system fails or the results cannot be written; the reason of `signal` if it aborts.
 */
export async function scanListing(listing: Listing, options: ScanOptions): Promise<ScannedSample[]> {
  const { entries, source, encoding } = listing;
  const { scanFolder, onProgress, signal } = options;
  const checks = await ImageChecks.open(source, scanFolder);
  const samples: ScannedSample[] = new Array(entries.length);
  let next = 0;
  let done = 0;
  let isStopped = false;
  const worker = async () => {
    while (next < entries.length && !isStopped) {
      signal?.throwIfAborted();
      const index = next++;
      samples[index] = await scanSample(entries.get(index), checks, encoding);
      await onProgress?.({ stage: 'scan', unit: 'samples', done: ++done, total: entries.length });
    }
  };
  const stopping = async () => {
    try {
      await worker();
    } catch (error) {
      isStopped = true;
      throw error;
    }
  };
  // Two for each processor, because one of them often waits for the disk.
  const workers = await Promise.allSettled(Array.from({ length: 2 * availableParallelism() }, stopping));
  const failed = workers.find((result) => result.status === 'rejected');
  if (failed) {
    // The first error matters more than that of the cache.
    await checks.save().catch(() => undefined);
    throw failed.reason;
  }
  await checks.save();
  return samples;
}

async function scanSample(
  entry: SourceEntry,
  checks: ImageChecks,
  encoding: string | undefined,
): Promise<ScannedSample> {
  const { key } = entry;
  let captions: readonly string[] = [];
  try {
    captions = (await readCaptions(entry, encoding)).map(hashOf);
  } catch (error) {
    return { image: '', captions, omission: { key, ...problemOf(error, 'unreadable-caption') } };
  }
  let check = checks.find(entry.image);
  if (!check) {
    check = await checkImage(entry);
    // Permissions may change, and the file looks the same.
    if (check.image !== '') await checks.add(entry.image, check);
  }
  const { image, problem, reason = 'unreadable-image' } = check;
  if (problem === undefined) return { image, captions };
  return { image, captions, omission: { key, reason, message: problem } };
}

async function checkImage(entry: SourceEntry): Promise<ImageCheck> {
  let image = '';
  try {
    const bytes = await readImage(entry);
    image = hashOf(bytes);
    await preprocessImage(bytes, entry.image.name, { imageSize: scanSize });
    return { image };
  } catch (error) {
    const { message, reason } = problemOf(error, 'unreadable-image');
    return { image, problem: message, reason };
  }
}
