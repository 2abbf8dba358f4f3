import type { Fields } from '@dalle-mini/core';
import { hashOf } from '../content-hash.js';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type SampleDescription } from '../dataset.js';
import { type PreprocessOptions, preprocessFields } from '../preprocess.js';
import { type DatasetReport, summarizeReport } from '../scan/report.js';
import { type ScannedSample, type ScanOptions, scanFields, scanListing } from '../scan/scan.js';
import { harmless, type Listing, type SourceEntry, type SourceFile } from './listing.js';
import { openListing } from './open-listing.js';

/** Options of {@link openImageFolder} and {@link openWebDataset}. */
export interface OpenOptions extends PreprocessOptions, ScanOptions {}

export const openFields: Fields<OpenOptions> = { ...preprocessFields, ...scanFields };

/** A dataset of files, with a report of what was found. */
export interface FileDataset extends Dataset {
  readonly report: DatasetReport;
  readonly skipped: ReadonlySet<number>;
  describe(index: number): SampleDescription;
}

/**
 * Makes a dataset of a listing. Its samples are scanned first, unless `scan` is false.
 *
 * @throws DataError if no sample can be used, or with `onError: 'fail'` one cannot.
 */
export async function openDataset(listing: Listing, options: OpenOptions): Promise<FileDataset> {
  const { onError = 'skip', scan = true, scanFolder, onProgress, onReport, signal, ...preprocessing } = options;
  const { source, entries, notes } = listing;
  const { length } = entries;
  const scanned = scan ? await scanListing(listing, { scanFolder, onProgress, signal }) : undefined;
  const skipped = new Map<number, string>();
  const omissions = [...listing.omissions];
  for (const [index, { omission }] of scanned?.entries() ?? []) {
    if (!omission) continue;
    skipped.set(index, omission.message);
    omissions.push(omission);
  }
  const report: DatasetReport = { source, samples: length - skipped.size, omissions, notes };
  if (report.samples === 0) {
    const found = omissions.length > 0 ? summarizeReport(report) : `${source} has no samples.`;
    throw new DataError(`${found}\nAdd images with captions.`);
  }
  const refused = omissions.filter(({ reason }) => !harmless.has(reason));
  if (onError === 'fail' && refused.length > 0) {
    const summary = summarizeReport({ ...report, omissions: refused });
    throw new DataError(`${summary}\nFix or remove them, or leave them out with onError: 'skip'.`);
  }
  if (onReport) await onReport(report);
  else if (omissions.length + notes.length > 0)
    process.emitWarning(summarizeReport(report), { code: 'DALLE_MINI_OMITTED' });

  const dataset = openListing(listing, preprocessing);
  const check = (index: number) => {
    checkIndex(index, length);
    const message = skipped.get(index);
    if (message === undefined) return;
    throw new DataError(
      `The sample ${index} was left out when the dataset was opened: ${message} To choose others, pass skipped to createSampler, or use usableIndices.`,
    );
  };
  return {
    length,
    report,
    skipped: new Set(skipped.keys()),
    async get(index, variation) {
      check(index);
      return dataset.get(index, variation);
    },
    describe(index) {
      check(index);
      const { key, ...files } = entries.get(index);
      const { image, captions } = scanned ? scanned[index]! : unscanned(files);
      return { key, image, captions };
    },
  };
}

/** Describes a sample by the names, sizes and dates of its files. */
function unscanned({ image, captions, captionFiles }: Omit<SourceEntry, 'key'>): ScannedSample {
  const stamp = ({ name, size, modified }: SourceFile) => hashOf(JSON.stringify([name, size, modified]));
  return { image: stamp(image), captions: captions?.map((caption) => hashOf(caption)) ?? captionFiles.map(stamp) };
}
