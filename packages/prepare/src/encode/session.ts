import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ImageRanker, type ImageTokenizer, OptionError, type Progress, type TextEncoder } from '@dalle-mini/core';
import { isTemporaryFolderName, makeFolder, writeFolderAtomically } from '@dalle-mini/core/node';
import {
  type DatasetReport,
  encodeCaptions,
  hasHiddenStates,
  hasTokenShards,
  openWebDataset,
  type S3Options,
  writeArchiveNames,
  writeTokenShards,
} from '@dalle-mini/data';
import type { Share } from '../settings.js';
import { type Archive, listArchives } from './archives.js';
import { scoreImages } from './score-images.js';

/** The models that encode archives. */
export interface EncodeModels {
  readonly tokenizer: ImageTokenizer;
  /** Scores images by their captions. */
  readonly ranker?: ImageRanker | undefined;
  /** Encodes captions. */
  readonly textEncoder?: TextEncoder | undefined;
}

/** What the result depends on, besides the models. */
export interface EncodeSessionOptions {
  /** Whether the captions are encoded too. Default false. */
  readonly captions?: boolean | undefined;
  readonly minScore?: number | undefined;
  readonly share?: Share | undefined;
  readonly s3?: S3Options | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EncodeArchiveOptions {
  /** Images per batch of the tokenizer. */
  readonly batchSize?: number | undefined;
  /** What the text encoder is called, for messages. */
  readonly textEncoderName?: string | undefined;
  /** How captions are padded; see `encodeCaptions`. */
  readonly padding?: 'longest' | 'max_length' | undefined;
  readonly onProgress?: ((progress: ArchiveProgress) => unknown) | undefined;
  readonly onReport?: ((report: DatasetReport) => unknown) | undefined;
}

/** Number of scored or encoded samples or captions of an archive. */
export interface ArchiveProgress extends Progress {
  readonly stage: 'score' | 'encode';
  readonly unit: 'samples' | 'captions';
  /** While images are scored: the number of those that are not left out. */
  readonly kept?: number | undefined;
}

/**
 * Checks that models can do what options say, before anything is written.
 *
 * @throws OptionError if `minScore` has no ranker.
 */
export function checkEncodeModels({ ranker }: EncodeModels, { minScore }: EncodeSessionOptions): void {
  if (minScore !== undefined && !ranker)
    throw new OptionError('minScore', 'left out without ranker, which scores the images', minScore);
}

/** More samples than an archive has: its token shard is one file. */
const shardSize = 2 ** 20;

/** Archives that are being encoded into a folder: which of them are done, and how one is. */
export class EncodeSession {
  /** Numbers of the archives that are done. */
  readonly written = new Set<number>();

  private constructor(
    readonly archives: readonly Archive[],
    readonly out: string,
    private readonly options: EncodeSessionOptions,
    /** The folder for downloads. */
    private readonly work: string,
  ) {}

  /**
   * Lists the archives, and writes their names into the folder.
   *
   * @throws DataError if the folder has token shards of other archives, or of another `minScore`.
   */
  static async open(
    sources: string | readonly string[],
    out: string,
    options: EncodeSessionOptions = {},
  ): Promise<EncodeSession> {
    const { minScore, s3, signal } = options;
    signal?.throwIfAborted();
    const archives = await listArchives([sources].flat(), s3);
    await makeFolder(out);
    const names = archives.map(({ name }) => name);
    await writeArchiveNames(out, names, minScore);
    const session = new EncodeSession(archives, out, options, await mkdtemp(join(tmpdir(), 'dalle-mini-encode-')));
    await session.refresh();
    return session;
  }

  /** The numbers of this machine's archives. */
  get mine(): readonly number[] {
    const { share } = this.options;
    return [...this.archives.keys()].filter((number) => share === undefined || number % share.count === share.rank);
  }

  /** Finds the archives that other machines have encoded since. */
  async refresh(): Promise<void> {
    for (const number of this.archives.keys())
      if (!this.written.has(number) && (await this.isDone(this.folderOf(number)))) this.written.add(number);
  }

  /**
   * Checks that the hidden states of the archives that are done are of a text encoder.
   *
   * @throws DataError if they are of another one.
   */
  async checkTextEncoder(encoder: TextEncoder): Promise<void> {
    for (const number of this.written) await hasHiddenStates(this.folderOf(number), encoder);
  }

  /** Downloads an archive ahead of time, if it is needed. */
  async fetch(number: number): Promise<void> {
    if (!(await hasTokenShards(this.folderOf(number)))) await this.download(number);
  }

  /**
   * Encodes one archive. Its folder appears whole or not at all; if another machine was faster, that of the other one stays.
   *
   * @throws DataError if the archive has no sample that can be used, or the folder has hidden states of another text encoder.
   */
  async run(number: number, models: EncodeModels, options: EncodeArchiveOptions = {}): Promise<void> {
    const folder = this.folderOf(number);
    if (await hasTokenShards(folder)) {
      // The archive need not be read again.
      if (!(await this.isDone(folder)))
        await this.write(folder, async (target) => {
          await cp(folder, target, { recursive: true });
          await this.encodeCaptions(target, models, options);
        });
    } else await this.encode(number, models, options);
    this.written.add(number);
  }

  /** Removes what machines that were killed have left in the folder. Nobody else may be at work. */
  async removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.out))
      if (isTemporaryFolderName(name)) await rm(join(this.out, name), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await rm(this.work, { recursive: true, force: true });
  }

  private download(number: number): Promise<string> {
    return this.archives[number]!.fetch(this.work, this.options.signal);
  }

  private folderOf(number: number): string {
    return join(this.out, this.archives[number]!.name);
  }

  private isDone = (folder: string): Promise<boolean> =>
    this.options.captions ? hasHiddenStates(folder) : hasTokenShards(folder);

  private write(folder: string, fill: (target: string) => Promise<void>): Promise<void> {
    return writeFolderAtomically(folder, fill, { keep: this.isDone });
  }

  private async encode(number: number, models: EncodeModels, options: EncodeArchiveOptions): Promise<void> {
    const { minScore, signal } = this.options;
    const { tokenizer, ranker } = models;
    const { batchSize, onProgress, onReport } = options;
    const { name, place } = this.archives[number]!;
    const path = await this.download(number);
    const cacheFolder = join(this.work, 'unpacked', name);
    const images = await openWebDataset(path, {
      imageSize: tokenizer.imageSize,
      scanFolder: join(this.work, 'scans', name),
      cacheFolder,
      signal,
      onReport: (report) => (report.omissions.length > 0 ? onReport?.({ ...report, source: place }) : undefined),
    });
    const scored = ranker && (await scoreImages(images, ranker, { minScore, signal, onProgress }));
    await this.write(this.folderOf(number), async (target) => {
      const allowEmpty = scored !== undefined;
      await writeTokenShards(scored ?? images, tokenizer, target, {
        batchSize,
        shardSize,
        allowEmpty,
        signal,
        onProgress,
      });
      await this.encodeCaptions(target, models, options);
    });
    if (path.startsWith(this.work)) await rm(path, { force: true });
    await rm(cacheFolder, { recursive: true, force: true });
  }

  private async encodeCaptions(
    folder: string,
    { textEncoder }: EncodeModels,
    { textEncoderName: name, padding, onProgress }: EncodeArchiveOptions,
  ): Promise<void> {
    const { captions, signal } = this.options;
    if (captions) await encodeCaptions(folder, textEncoder!, { name, padding, signal, onProgress });
  }
}
