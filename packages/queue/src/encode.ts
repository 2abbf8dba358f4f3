import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { OptionError, type Progress } from '@dalle-mini/core';
import { readTextIfPresent, writeFileAtomically } from '@dalle-mini/core/node';
import { DataError } from '@dalle-mini/data';
import type { S3Options } from '@dalle-mini/prepare';
import { type EncodeArchiveOptions, type EncodeModels, EncodeSession } from '@dalle-mini/prepare/jobs';
import type { CoordinateOptions } from './coordinate.js';
import { coordinateWork, type GivenUpShard, type SharedWork, type WorkerOptions, workOn } from './shared-work.js';

/** What all machines must agree on. */
export interface SharedEncodeOptions {
  /** Images with a lower score are left out. It needs a `ranker`. Default: all images stay. */
  readonly minScore?: number | undefined;
  /** The server of `s3://` addresses. */
  readonly s3?: S3Options | undefined;
}

export interface CoordinateEncodingOptions extends SharedEncodeOptions, Omit<CoordinateOptions, 'onProgress'> {
  /** Whether the captions are encoded too, by the text encoder of the workers. Default false. */
  readonly captions?: boolean | undefined;
  /** Called after each look at what is written. */
  readonly onProgress?: ((progress: EncodingProgress) => unknown) | undefined;
}

/** Number of archives that are encoded. */
export interface EncodingProgress extends Progress {
  readonly stage: 'encode';
  readonly unit: 'files';
}

export interface WorkOnEncodingOptions
  extends SharedEncodeOptions,
    WorkerOptions,
    Omit<EncodeArchiveOptions, 'onProgress'> {}

/** The file in the folder of token shards with the name of their queue. */
const queueFile = 'queue.txt';

/**
 * Encodes archives by the workers of a queue: puts a job for each archive that is missing into the queue, and waits until all are encoded or given up.
 * It needs no models. A coordinator that has died is started again.
 *
 * @param sources Archives, as `encodeArchives` of `@dalle-mini/prepare` takes them.
 * @param out The folder for the token shards, which all machines share.
 * @returns The archives that were given up: `shard` is the number of one, from 0.
 * @throws DataError if there are no archives, or the folder has token shards of others; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { coordinateEncoding, workOnEncoding } from '@dalle-mini/queue';
 * import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
 *
 * const [archives, out, redis] = ['s3://bucket/cc12m', '/shared/tokens', 'redis://coordinator:6379'];
 * if (process.argv.includes('--work')) {
 *   await using tokenizer = await openVqganTokenizer('dalle-mini/vqgan_imagenet_f16_16384');
 *   await workOnEncoding(archives, { tokenizer }, out, { redis });
 * } else console.log(await coordinateEncoding(archives, out, { redis }));
 * ```
 */
export async function coordinateEncoding(
  sources: string | readonly string[],
  out: string,
  options: CoordinateEncodingOptions,
): Promise<GivenUpShard[]> {
  const { captions, minScore, s3, onProgress, ...coordinating } = options;
  const session = await EncodeSession.open(sources, out, { captions, minScore, s3, signal: options.signal });
  try {
    const path = join(out, queueFile);
    if ((await readTextIfPresent(path)) === undefined) await writeFileAtomically(path, `dalle-mini-${randomUUID()}\n`);
    const work = await encoding(session);
    const missing = [...session.archives.keys()].filter((number) => !session.written.has(number));
    const onPoll = () =>
      onProgress?.({ stage: 'encode', unit: 'files', done: session.written.size, total: session.archives.length });
    const givenUp = await coordinateWork(work, missing, { ...coordinating, onPoll });
    if (givenUp.length === 0) await session.removeLeftovers();
    return givenUp;
  } finally {
    await session.close();
  }
}

/**
 * Takes archives from the queue of {@link coordinateEncoding} and encodes them, until all are encoded or given up.
 *
 * @param sources The archives that the coordinator has.
 * @param models With `textEncoder`, the captions are encoded too: the coordinator needs `captions`.
 * @throws OptionError if `minScore` has no `ranker`; DataError if no coordinator was started, or the folder has hidden states of another text encoder; the reason of `signal` if it aborts.
 */
export async function workOnEncoding(
  sources: string | readonly string[],
  models: EncodeModels,
  out: string,
  options: WorkOnEncodingOptions,
): Promise<void> {
  const { minScore, s3, batchSize, textEncoderName, padding, onReport, ...working } = options;
  if (minScore !== undefined && !models.ranker)
    throw new OptionError('minScore', 'left out without ranker, which scores the images', minScore);
  const captions = models.textEncoder !== undefined;
  const session = await EncodeSession.open(sources, out, { captions, minScore, s3, signal: options.signal });
  try {
    if (models.textEncoder) await session.checkTextEncoder(models.textEncoder);
    const work = await encoding(session);
    await workOn(
      work,
      (number) => session.run(number, models, { batchSize, textEncoderName, padding, onReport }),
      working,
    );
  } finally {
    await session.close();
  }
}

/** Returns what the machines know of archives that are encoded. */
async function encoding(session: EncodeSession): Promise<SharedWork> {
  const path = join(session.out, queueFile);
  const name = await readTextIfPresent(path);
  if (name === undefined) throw new DataError(`${path} is missing. Start the coordinator first.`);
  return {
    queue: name.trim(),
    count: session.archives.length,
    written: session.written,
    refresh: () => session.refresh(),
  };
}
