import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  abortSignal,
  callback,
  type ImageRanker,
  type ImageTokenizer,
  implementation,
  integer,
  number,
  OptionError,
  object,
  optional,
  type Progress,
  readOptions,
} from '@dalle-mini/core';
import { makeFolder } from '@dalle-mini/core/node';
import {
  type DatasetReport,
  hasTokenShards,
  openWebDataset,
  type S3Options,
  writeArchiveNames,
  writeTokenShards,
} from '@dalle-mini/data';
import { type Share, s3Fields, shareFields } from '../settings.js';
import { type Archive, listArchives } from './archives.js';
import { scoreImages } from './score-images.js';

export interface EncodeArchivesOptions {
  /** Images per batch of the tokenizer. Default 8. */
  readonly batchSize?: number | undefined;
  /** Scores how well images match their captions, such as a CLIP. The token shards get the scores. Default: no scores. */
  readonly ranker?: ImageRanker | undefined;
  /** Images with a lower score are left out. It needs `ranker`, whose scale it has. Default: all images stay. */
  readonly minScore?: number | undefined;
  /** The archives of one of several machines: archive n belongs to the machine n modulo `count`. Default: all. */
  readonly share?: Share | undefined;
  /** The server of `s3://` addresses. */
  readonly s3?: S3Options | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: EncodeArchivesProgress) => unknown) | undefined;
  /** Called for each archive with samples that were left out. */
  readonly onReport?: ((report: DatasetReport) => unknown) | undefined;
}

/** Number of scored or encoded samples of an archive, and of finished archives. */
export interface EncodeArchivesProgress extends Progress {
  readonly stage: 'score' | 'encode';
  readonly unit: 'samples';
  /** While images are scored: the number of those that are not left out. */
  readonly kept?: number | undefined;
  readonly archives: { readonly done: number; readonly total: number };
}

const optionFields = object<EncodeArchivesOptions>({
  batchSize: optional(integer({ min: 1, max: 4096 }), 8),
  ranker: optional(implementation<ImageRanker>('an ImageRanker', ['rank'])),
  minScore: optional(number()),
  share: optional(shareFields),
  s3: optional(s3Fields),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
  onReport: optional(callback()),
});

/** More samples than an archive has: its token shard is one file. */
const shardSize = 2 ** 20;

/**
 * Encodes the images of WebDataset archives, and writes token shards into `out`: a folder for each archive, which `openTokenShards(out)` joins.
 * Archives of a bucket or a web server are downloaded one at a time, the next one while one is encoded, and removed. The same call again
 * encodes only what is missing.
 *
 * @param sources Paths and addresses (`s3://bucket/…`, `https://…`) of archives, patterns such as `{00000..00012}.tar`, folders, and prefixes of buckets.
 * With `ranker`, all images of an archive are scored first. That of an image with several captions is its highest score, to three decimals.
 *
 * @throws DataError if an archive is missing or has no sample that can be used, or if `out` has token shards of other archives, of another
 *   `minScore` or of another tokenizer; OptionError if `minScore` has no `ranker`; FileError or StorageError if a file cannot be read or written; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { openTokenShards } from '@dalle-mini/data';
 * import { encodeArchives } from '@dalle-mini/prepare';
 * import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
 *
 * const tokenizer = await openVqganTokenizer('dalle-mini/vqgan_imagenet_f16_16384');
 * await encodeArchives('s3://bucket/cc12m/{00000..01242}.tar', tokenizer, 'tokens', { batchSize: 16 });
 * console.log((await openTokenShards('tokens')).length);
 * ```
 */
export async function encodeArchives(
  sources: string | readonly string[],
  tokenizer: ImageTokenizer,
  out: string,
  options: EncodeArchivesOptions = {},
): Promise<void> {
  const given = readOptions(optionFields, options, 'encodeArchives');
  const { batchSize, ranker, minScore, share, s3, signal, onProgress, onReport } = given;
  if (minScore !== undefined && !ranker)
    throw new OptionError('minScore', 'left out without ranker, which scores the images', minScore);
  signal?.throwIfAborted();
  const all = await listArchives([sources].flat(), s3);
  await makeFolder(out);
  await writeArchiveNames(
    out,
    all.map(({ name }) => name),
    minScore,
  );
  const mine = all.filter((_, number) => share === undefined || number % share.count === share.rank);
  const missing: Archive[] = [];
  for (const archive of mine) if (!(await hasTokenShards(join(out, archive.name)))) missing.push(archive);

  const work = await mkdtemp(join(tmpdir(), 'dalle-mini-encode-'));
  const fetch = (archive: Archive | undefined) => {
    const path = archive?.fetch(work, signal);
    path?.catch(() => undefined);
    return path;
  };
  try {
    let next = fetch(missing[0]);
    for (const [position, archive] of missing.entries()) {
      const path = (await next)!;
      next = fetch(missing[position + 1]);
      const archives = { done: mine.length - missing.length + position, total: mine.length };
      const images = await openWebDataset(path, {
        imageSize: tokenizer.imageSize,
        scanFolder: join(work, 'scans'),
        cacheFolder: join(work, 'unpacked'),
        signal,
        onReport: (report) =>
          report.omissions.length > 0 ? onReport?.({ ...report, source: archive.place }) : undefined,
      });
      const scored =
        ranker &&
        (await scoreImages(images, ranker, {
          minScore,
          signal,
          onProgress: (progress) => onProgress?.({ ...progress, archives }),
        }));
      await writeTokenShards(scored ?? images, tokenizer, join(out, archive.name), {
        batchSize,
        shardSize,
        allowEmpty: scored !== undefined,
        signal,
        onProgress: (progress) => onProgress?.({ ...progress, archives }),
      });
      if (path.startsWith(work)) await rm(path, { force: true });
      await rm(join(work, 'unpacked'), { recursive: true, force: true });
    }
    await next;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
