import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { boolean, OptionError, object, type Progress, parseJsonObject, readConfig, string } from '@dalle-mini/core';
import { readTextIfPresent, writeJsonFile } from '@dalle-mini/core/node';
import { DataError, hasHiddenStates, hasTokenShards, readArchiveNames } from '@dalle-mini/data';
import type { S3Options } from '@dalle-mini/prepare';
import {
  checkEncodeModels,
  type EncodeArchiveOptions,
  type EncodeModels,
  EncodeSession,
} from '@dalle-mini/prepare/jobs';
import type { CoordinateOptions } from './coordinate.js';
import { coordinateWork, type GivenUpShard, type SharedWork, type WorkerOptions, workOn } from './shared-work.js';
import { type QueueStatus, readStatus } from './status.js';

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

/** The file in the folder of token shards that tells the workers of their queue. */
const queueFile = 'queue.json';

interface EncodingQueue {
  /** Its name. */
  readonly queue: string;
  /** Whether the captions are encoded too. */
  readonly captions: boolean;
}

const queueField = object<EncodingQueue>({ queue: string(), captions: boolean() });

/**
 * Encodes archives by the workers of a queue: puts a job for each archive that is missing into the queue, and waits until all are encoded or given up.
 * It needs no models. A coordinator that has died is started again.
 *
 * @param sources Archives, as `encodeArchives` of `@dalle-mini/prepare` takes them.
 * @param out The folder for the token shards, which all machines share.
 * @returns The archives that were given up: `shard` is the number of one, from 0.
 * @throws DataError if there are no archives, or the folder has token shards of others, or `captions` is another than at the first call; the reason of `signal` if it aborts.
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
  const { captions = false, minScore, s3, onProgress, ...coordinating } = options;
  const session = await EncodeSession.open(sources, out, { captions, minScore, s3, signal: options.signal });
  try {
    const queue = await queueOf(out, captions);
    const work = encoding(session, queue);
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
  checkEncodeModels(models, { minScore });
  const { queue, captions } = await readQueue(out);
  if (captions !== (models.textEncoder !== undefined))
    throw new OptionError(
      'textEncoder',
      captions ? 'set, as the coordinator has captions encoded' : 'left out, as by the coordinator',
      models.textEncoder === undefined ? undefined : 'set',
    );
  const session = await EncodeSession.open(sources, out, { captions, minScore, s3, signal: options.signal });
  try {
    if (models.textEncoder) await session.checkTextEncoder(models.textEncoder);
    await workOn(
      encoding(session, queue),
      (number) => session.run(number, models, { batchSize, textEncoderName, padding, onReport }),
      working,
    );
  } finally {
    await session.close();
  }
}

/**
 * Reads the state of archives that are encoded by a queue.
 *
 * @param out The folder for the token shards.
 * @throws DataError if no coordinator was started.
 */
export async function encodingStatus(out: string, { redis }: { readonly redis: string }): Promise<QueueStatus> {
  const { queue, captions } = await readQueue(out);
  const archives = await readArchiveNames(out);
  const isDone = captions ? hasHiddenStates : hasTokenShards;
  const done = await Promise.all((archives ?? []).map((name) => isDone(join(out, name))));
  return readStatus({ queue, total: done.length, written: done.filter(Boolean).length }, redis);
}

/** Returns the name of the queue of a folder, which its first coordinator chooses. */
async function queueOf(out: string, captions: boolean): Promise<string> {
  const path = join(out, queueFile);
  if ((await readTextIfPresent(path)) === undefined)
    await writeJsonFile(path, { queue: `dalle-mini-${randomUUID()}`, captions } satisfies EncodingQueue);
  const earlier = await readQueue(out);
  if (earlier.captions === captions) return earlier.queue;
  throw new DataError(
    `captions must be ${earlier.captions}, as for the archives in ${out}, not ${captions}. Choose another folder, or delete it to encode them anew.`,
  );
}

async function readQueue(out: string): Promise<EncodingQueue> {
  const path = join(out, queueFile);
  const json = await readTextIfPresent(path);
  if (json === undefined) throw new DataError(`${path} is missing. Start the coordinator first.`);
  const fix = 'Delete it, and start the coordinator and the workers again.';
  return readConfig(queueField, parseJsonObject(json, path, fix), path, fix);
}

/** Returns what the machines know of archives that are encoded. */
function encoding(session: EncodeSession, queue: string): SharedWork {
  return {
    queue,
    count: session.archives.length,
    written: session.written,
    refresh: () => session.refresh(),
  };
}
