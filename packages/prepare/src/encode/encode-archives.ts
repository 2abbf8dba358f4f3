import {
  abortSignal,
  callback,
  type ImageRanker,
  type ImageTokenizer,
  implementation,
  integer,
  number,
  object,
  oneOf,
  optional,
  readOptions,
  string,
  type TextEncoder,
} from '@dalle-mini/core';
import type { DatasetReport, S3Options } from '@dalle-mini/data';
import { type Share, s3Fields, shareFields } from '../settings.js';
import { type ArchiveProgress, checkEncodeModels, EncodeSession } from './session.js';

export interface EncodeArchivesOptions {
  /** Images per batch of the tokenizer. Default 8. */
  readonly batchSize?: number | undefined;
  /** Scores how well images match their captions, such as a CLIP. The token shards get the scores. Default: no scores. */
  readonly ranker?: ImageRanker | undefined;
  /** Images with a lower score are left out. It needs `ranker`, whose scale it has. Default: all images stay. */
  readonly minScore?: number | undefined;
  /**
   * A text encoder that training does not train. The hidden states of the captions are stored beside the tokens; see `encodeCaptions` of
   * `@dalle-mini/data`. Archives that are encoded already get them too. Default: none are stored.
   */
  readonly textEncoder?: TextEncoder | undefined;
  /** What the text encoder is called, such as its folder or hub name, for messages. */
  readonly textEncoderName?: string | undefined;
  /** How captions are padded; see `encodeCaptions`. */
  readonly padding?: 'longest' | 'max_length' | undefined;
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
export interface EncodeArchivesProgress extends ArchiveProgress {
  readonly archives: { readonly done: number; readonly total: number };
}

const optionFields = object<EncodeArchivesOptions>({
  batchSize: optional(integer({ min: 1, max: 4096 }), 8),
  ranker: optional(implementation<ImageRanker>('an ImageRanker', ['rank'])),
  minScore: optional(number()),
  textEncoder: optional(implementation<TextEncoder>('a text encoder', ['encode'])),
  textEncoderName: optional(string()),
  padding: optional(oneOf(['longest', 'max_length'])),
  share: optional(shareFields),
  s3: optional(s3Fields),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
  onReport: optional(callback()),
});

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
  const { ranker, textEncoder, minScore, share, s3, signal, onProgress, ...running } = given;
  const models = { tokenizer, ranker, textEncoder };
  checkEncodeModels(models, { minScore });
  const session = await EncodeSession.open(sources, out, {
    captions: textEncoder !== undefined,
    minScore,
    share,
    s3,
    signal,
  });
  const { mine, written } = session;
  try {
    if (textEncoder) await session.checkTextEncoder(textEncoder);
    const missing = mine.filter((number) => !written.has(number));
    const fetch = (number: number | undefined) => {
      const path = number === undefined ? undefined : session.fetch(number);
      path?.catch(() => undefined);
      return path;
    };
    let next = fetch(missing[0]);
    for (const [position, number] of missing.entries()) {
      await next;
      next = fetch(missing[position + 1]);
      const archives = { done: mine.length - missing.length + position, total: mine.length };
      await session.run(number, models, {
        ...running,
        onProgress: (progress) => onProgress?.({ ...progress, archives }),
      });
    }
    await next;
  } finally {
    await session.close();
  }
}
