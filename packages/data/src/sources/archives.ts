import { dirname, join } from 'node:path';
import {
  DalleMiniError,
  hash,
  integer,
  object,
  oneOf,
  optional,
  parseJsonObject,
  readConfig,
  readOptions,
  string,
} from '@dalle-mini/core';
import { FileError, makeFolder, readTextIfPresent, userCacheFolder, writeJsonFile } from '@dalle-mini/core/node';
import { expand } from 'brace-expansion';
import { DataError } from '../data-error.js';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';
import { lastAtMost, startsOf } from '../extents.js';
import { type PreprocessOptions, preprocessFields } from '../preprocess.js';
import { RecentlyUsed } from '../recently-used.js';
import { RemoteCache } from '../remote/cache.js';
import { isAddress, readTextAt } from '../remote/files.js';
import type { S3Options } from '../remote/s3.js';
import { openListing } from './open-listing.js';
import { findShards } from './shard-paths.js';
import { type ListWebDatasetOptions, listWebDataset, listWebDatasetFields } from './web-dataset.js';

export interface ArchivesOptions extends PreprocessOptions, Omit<ListWebDatasetOptions, 'exclude'> {
  /** Whether another image takes the place of one that cannot be used, with a warning of the process, or reading fails. Default `skip`. */
  readonly onError?: 'skip' | 'fail' | undefined;
  /** Most downloaded archives on the disk, at least as many as a sampler shuffles together. Default 16. */
  readonly cacheArchives?: number | undefined;
  /** The folder that keeps the numbers of samples, so that archives without `_stats.json` are not counted again. Default: none. */
  readonly scanFolder?: string | undefined;
  /** The server of `s3://` addresses. */
  readonly s3?: S3Options | undefined;
}

/** Images in archives, which are read when they are needed. */
export interface Archives extends Dataset {
  /** Number of samples in each archive, in order, for `createSampler`. */
  readonly shardLengths: readonly number[];
}

const { exclude, ...listFields } = listWebDatasetFields;
const optionsField = object<ArchivesOptions>({
  ...preprocessFields,
  ...listFields,
  onError: optional(oneOf(['skip', 'fail']), 'skip'),
  cacheArchives: optional(integer({ min: 1 }), 16),
  scanFolder: optional(string()),
  s3: optional(object<S3Options>({ endpoint: optional(string()), region: optional(string()) })),
});

/** Archives whose index is in memory, about 80 bytes a sample; archives that are counted at a time; and tries to replace an image. */
const [mostListings, countedAtOnce, mostReplacements] = [64, 8, 100];

/**
 * Opens WebDataset shards that need not fit on the disk, nor be scanned first: of a web server, a bucket or folders. An archive is downloaded
 * when one of its samples is read, into a folder of this process, and deleted when {@link ArchivesOptions.cacheArchives} others were read since. Read them in the order of
 * `createSampler({ shards: dataset.shardLengths, shuffleShards, seed })`: it takes some archives at a time and shuffles their samples.
 * The sample of a position depends on nothing before it, so that training resumes exactly.
 *
 * The number of samples is that of `<archive>_stats.json` beside an archive, which img2dataset and `@dalle-mini/prepare` write. Archives without it are
 * read once, to count them.
 *
 * @param source Paths, patterns and folders, as `openWebDataset` takes them, and addresses: `https://host/{00000..00012}.tar` or
 *   `s3://bucket/{00000..00012}.tar.gz`. Keys of buckets come from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
 * @throws DataError if an archive is missing, damaged or empty, on opening or on reading; FileError if the disk is full; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { createSampler, openArchives } from '@dalle-mini/data';
 *
 * const dataset = await openArchives('https://host/cc12m/{00000..01242}.tar', { imageSize: 256 });
 * const order = createSampler({ shards: dataset.shardLengths, shuffleShards: 8, seed: 1 });
 * console.log(dataset.length, (await dataset.get(order.at(0))).captions);
 * ```
 */
export async function openArchives(source: string | readonly string[], options: ArchivesOptions): Promise<Archives> {
  const given = readOptions(optionsField, options, 'openArchives');
  const {
    onError,
    cacheArchives = 16,
    scanFolder,
    s3,
    image,
    caption,
    encoding,
    cacheFolder,
    onProgress,
    signal,
    ...preprocessing
  } = given;
  const places = await findArchives(source);
  /** The samples of archives, by the place: those that were used last, of archives that are on the disk. */
  const listings = new RecentlyUsed<string, Dataset>(mostListings);
  const files = new RemoteCache(cacheFolder ?? userCacheFolder('archives'), {
    most: cacheArchives,
    s3,
    onDelete: (place) => listings.delete(place),
  });
  const open = async (place: string, path: string) => {
    const listing = await listWebDataset(path, {
      image,
      caption,
      encoding,
      // What is unpacked is deleted with its archive.
      cacheFolder: isAddress(place) ? dirname(path) : cacheFolder,
      signal,
    });
    const damaged = listing.omissions.find(({ reason }) => reason === 'damaged-archive');
    if (damaged) throw new DataError(`${place} cannot be read: ${damaged.message}`);
    if (listing.entries.length === 0)
      throw new DataError(`${place} must have images with captions, not none. Leave it out.`);
    return openListing(listing, { ...preprocessing, seed: hash(preprocessing.seed ?? 0, places.indexOf(place)) });
  };
  const withSamples = <Result>(place: string, use: (samples: Dataset) => Promise<Result>) =>
    files.use(place, async (path) => use(await listings.get(place, () => open(place, path))), signal);
  const counted = await countSamples(places, {
    scanFolder,
    count: (place) => withSamples(place, async ({ length }) => length),
    onCounted: (done) => onProgress?.({ stage: 'scan', unit: 'files', done, total: places.length }),
  });
  const starts = startsOf(counted);
  const length = starts.at(-1)! + counted.at(-1)!;
  return {
    length,
    shardLengths: counted,
    async get(index, variation) {
      checkIndex(index, length);
      const number = lastAtMost(starts, index);
      return withSamples(places[number]!, (samples) =>
        readUsable(samples, index - starts[number]!, variation, onError === 'fail' ? 0 : mostReplacements),
      );
    },
  };
}

/** Lists the places of archives: addresses, and paths as `openWebDataset` finds them. */
async function findArchives(source: string | readonly string[]): Promise<string[]> {
  const places: string[] = [];
  for (const one of [source].flat().flatMap((all) => all.split(archiveSeparator))) {
    if (isAddress(one)) places.push(...expand(one, { max: mostAddresses }));
    else places.push(...(await findShards(one)).shards.map(({ path }) => path));
  }
  const wrong = places.find((place) => !/\.(tar|tar\.gz|tgz)$/i.test(place));
  if (wrong !== undefined)
    throw new DataError(
      `An archive must end in .tar, .tar.gz or .tgz, not ${wrong}. Name the archives, such as …/{00000..00012}.tar.`,
    );
  return places;
}

/** What joins several archives: `::`, but not in an IPv6 address such as `http://[::1]/`. */
export const archiveSeparator = /::(?![\da-f:]*\])/i;
/** Most addresses of a pattern. */
const mostAddresses = 1_000_000;
/** The file that keeps numbers of samples. */
const lengthsName = 'archive-lengths.json';

/** Returns the number of samples of each archive. */
async function countSamples(
  places: readonly string[],
  {
    scanFolder,
    count,
    onCounted,
  }: {
    readonly scanFolder: string | undefined;
    readonly count: (place: string) => Promise<number>;
    readonly onCounted: (done: number) => unknown;
  },
): Promise<number[]> {
  const path = scanFolder && join(scanFolder, lengthsName);
  const text = path && (await readTextIfPresent(path));
  const known = text ? (parseJsonObject(text, path!, 'Delete it.') as Record<string, number>) : {};
  const lengths: number[] = new Array(places.length);
  let started = 0;
  let done = 0;
  let found = 0;
  const countNext = async (): Promise<void> => {
    while (started < places.length) {
      const number = started++;
      const place = places[number]!;
      lengths[number] = known[place] ?? (await readStats(place)) ?? (await count(place));
      if (known[place] === undefined) found++;
      await onCounted(++done);
    }
  };
  await Promise.all(Array.from({ length: countedAtOnce }, countNext));
  if (path && found > 0) {
    await makeFolder(scanFolder!);
    // Those of other datasets of the run stay.
    const own = Object.fromEntries(places.map((place, number) => [place, lengths[number]]));
    await writeJsonFile(path, { ...known, ...own });
  }
  return lengths;
}

const statsFields = object({ successes: integer({ min: 1 }) }, { unknown: 'ignore' });

/** Reads the number of samples from the counts that img2dataset writes beside an archive; `undefined` if there are none. */
async function readStats(place: string): Promise<number | undefined> {
  const path = place.replace(/\.(tar|tar\.gz|tgz)$/i, '_stats.json');
  const text = await readTextAt(path);
  return text === undefined
    ? undefined
    : readConfig(statsFields, parseJsonObject(text, path, 'Delete it.'), path).successes;
}

/** Reads the sample at an offset or, if it cannot be used, the next one that can: always the same one. */
async function readUsable(
  samples: Dataset,
  offset: number,
  variation: number | undefined,
  tries: number,
): Promise<Sample> {
  for (let attempt = 0; ; attempt++) {
    try {
      // Where captions are missing, an archive has fewer samples than images.
      return await samples.get((offset + attempt) % samples.length, variation);
    } catch (error) {
      if (!DalleMiniError.isInstance(error) || FileError.isInstance(error) || attempt === tries) throw error;
      process.emitWarning(`Another image takes the place of one that cannot be used: ${error.message}`, {
        code: 'DALLE_MINI_OMITTED',
      });
    }
  }
}
