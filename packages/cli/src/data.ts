import { ConfigError } from '@dalle-mini/core';
import { type DatasetReport, summarizeReport } from '@dalle-mini/data';
import { type DeviceName, openRuntime } from '@dalle-mini/pipeline';
import {
  type EncodeArchivesProgress,
  encodeArchives,
  type PrepareProgress,
  type PrepareSettings,
  type PrepareSummary,
  prepare,
  readPrepareSettings,
  type Share,
} from '@dalle-mini/prepare';
import type { EncodeModels } from '@dalle-mini/prepare/jobs';
import type { GivenUpShard } from '@dalle-mini/queue';
import { openCaptionEncoder } from '@dalle-mini/train/settings';
import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
import sharp from 'sharp';
import { UsageError } from './errors.js';
import { openRanker } from './generate.js';
import { loadQueue } from './load-queue.js';
import { duration, ProgressBar } from './progress-bar.js';

export interface PrepareCommand {
  readonly retryFailed?: boolean | undefined;
  /** The address of a Redis, whose workers download. */
  readonly queue?: string | undefined;
  /** Settings that replace those of the file, such as `pictures.size`. */
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini data prepare`: downloads the images of lists, and prints the place of the shards. */
export async function prepareData(file: string, command: PrepareCommand): Promise<void> {
  const { retryFailed, queue, overrides, signal } = command;
  if (queue !== undefined && retryFailed)
    throw new UsageError('--retry-failed does not work with --queue. Leave one of the two out.');
  const settings = await readSettings(file, overrides);
  // Images are decoded many at a time: one thread each is faster than several for one.
  sharp.concurrency(1);
  const reporter = new Reporter();
  try {
    const onProgress = (progress: PrepareProgress) => {
      const { stage, done, total } = progress;
      reporter.show(stage === 'scan' ? 0 : done / total, textOf(progress));
    };
    const summary =
      queue === undefined
        ? await prepare(settings, { retryFailed, signal, onProgress })
        : await coordinateByQueue(settings, queue, { signal, onProgress });
    reporter.clear();
    report(summary);
    process.stdout.write(`${settings.out}\n`);
  } finally {
    reporter.clear();
  }
}

/** Reads the settings of a data set. */
export async function readSettings(
  file: string,
  overrides: Readonly<Record<string, unknown>>,
): Promise<PrepareSettings> {
  return readPrepareSettings(file, overrides).catch((error: unknown) => {
    throw ConfigError.isInstance(error) ? new UsageError(error.message) : error;
  });
}

async function coordinateByQueue(
  settings: PrepareSettings,
  redis: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: PrepareProgress) => void },
): Promise<PrepareSummary> {
  const { coordinate } = await loadQueue();
  const { givenUp, ...summary } = await coordinate(settings, { redis, ...options });
  tellGivenUp(givenUp);
  return summary;
}

export interface EncodeCommand {
  /** A VQ-GAN: a folder or a hub name. */
  readonly imageTokenizer: string;
  /** The folder for the token shards. */
  readonly out: string;
  readonly batchSize: number;
  readonly threads?: number | undefined;
  /** A CLIP: the path of a folder, or a name of the hub. */
  readonly rank?: string | undefined;
  readonly minScore?: number | undefined;
  /** What the models compute on. */
  readonly device: DeviceName;
  /** A text encoder: a folder or a hub name. */
  readonly textEncoder?: string | undefined;
  /** Tokens of a caption. */
  readonly maxLength?: number | undefined;
  readonly s3Endpoint?: string | undefined;
  readonly share?: Share | undefined;
  /** The address of a Redis, whose workers encode. */
  readonly queue?: string | undefined;
  /** Whether this is one of the workers. */
  readonly work?: boolean | undefined;
  readonly shards?: number | undefined;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini data encode`: encodes the images of WebDataset shards to tokens, and prints the folder of the tokens. */
export async function encodeData(sources: readonly string[], command: EncodeCommand): Promise<void> {
  checkEncodeCommand(command);
  if (command.queue !== undefined && !command.work) await coordinateEncodingByQueue(sources, command.queue, command);
  else await withEncodeModels(command, (models) => encodeWith(models, sources, command));
  process.stdout.write(`${command.out}\n`);
}

function checkEncodeCommand({
  minScore,
  rank,
  maxLength,
  textEncoder,
  queue,
  work,
  shards,
  share,
}: EncodeCommand): void {
  if (minScore !== undefined && rank === undefined)
    throw new UsageError('--min-score needs --rank, which scores the images. Set --rank, or leave --min-score out.');
  if (maxLength !== undefined && textEncoder === undefined)
    throw new UsageError(
      '--max-length needs --text-encoder, whose captions it cuts. Set it, or leave --max-length out.',
    );
  if (work && queue === undefined)
    throw new UsageError('--work needs --queue, the address of the Redis of the coordinator.');
  if (shards !== undefined && !work) throw new UsageError('--shards needs --work. Set both, or leave --shards out.');
  if (queue !== undefined && share !== undefined)
    throw new UsageError('--share does not work with --queue, which divides the shards. Leave one of the two out.');
}

/** Opens the models for a call, and disposes of them. */
async function withEncodeModels(
  { imageTokenizer, rank, textEncoder, maxLength, threads, device, signal }: EncodeCommand,
  call: (models: EncodeModels) => Promise<void>,
): Promise<void> {
  const runtime = await openRuntime(device, { threads });
  try {
    await using tokenizer = await openVqganTokenizer(imageTokenizer, { runtime, signal });
    // Each image has a caption of its own: the images of a batch would be scored by the same one.
    const clip = { runtime, batchSize: 1, signal };
    const ranker = rank === undefined ? undefined : await openRanker(rank, clip, new ProgressBar());
    const captions =
      textEncoder === undefined ? undefined : await openCaptionEncoder(textEncoder, { runtime, maxLength, signal });
    try {
      await call({ tokenizer, ranker, textEncoder: captions });
    } finally {
      await captions?.dispose();
      await ranker?.dispose();
    }
  } finally {
    await runtime.dispose();
  }
}

async function encodeWith(models: EncodeModels, sources: readonly string[], command: EncodeCommand): Promise<void> {
  const { out, batchSize, minScore, s3Endpoint, share, queue, shards, textEncoder, device, signal } = command;
  const reporter = new Reporter();
  const onReport = (report: DatasetReport) => {
    reporter.clear();
    process.stderr.write(`${summarizeReport(report)}\n`);
  };
  const options = {
    batchSize,
    minScore,
    s3: { endpoint: s3Endpoint },
    textEncoderName: textEncoder,
    // XLA compiles each length anew.
    padding: device === 'cpu' ? ('longest' as const) : ('max_length' as const),
    signal,
    onReport,
  };
  if (queue !== undefined) {
    const { workOnEncoding } = await loadQueue();
    await workOnEncoding(sources, models, out, { ...options, redis: queue, shards, onShard: tellShard });
    return;
  }
  const scores = { kept: 0, total: 0 };
  const onProgress = ({ stage, unit, archives, done, total, kept = 0 }: EncodeArchivesProgress) => {
    if (stage === 'score' && done === total) {
      scores.kept += kept;
      scores.total += total;
    }
    const what = stage === 'score' ? 'scoring image' : unit === 'captions' ? 'caption' : 'image';
    const text = `${what} ${count(done)} of ${count(total)}, shard ${count(archives.done + 1)} of ${count(archives.total)}`;
    reporter.show((archives.done + (what === 'image' ? done / total : 0)) / archives.total, text);
  };
  try {
    const { tokenizer, ranker, textEncoder } = models;
    await encodeArchives(sources, tokenizer, out, { ...options, ranker, textEncoder, share, onProgress });
    reporter.clear();
    if (minScore !== undefined && scores.total > 0)
      process.stderr.write(
        `${count(scores.kept)} of ${count(scores.total)} images have a score of at least ${minScore}.\n`,
      );
  } finally {
    reporter.clear();
  }
}

async function coordinateEncodingByQueue(
  sources: readonly string[],
  redis: string,
  { out, minScore, s3Endpoint, textEncoder, signal }: EncodeCommand,
): Promise<void> {
  const { coordinateEncoding } = await loadQueue();
  const reporter = new Reporter();
  try {
    const givenUp = await coordinateEncoding(sources, out, {
      redis,
      minScore,
      captions: textEncoder !== undefined,
      s3: { endpoint: s3Endpoint },
      signal,
      onProgress: ({ done, total }) => reporter.show(done / total, `shard ${count(done)} of ${count(total)}`),
    });
    reporter.clear();
    tellGivenUp(givenUp);
  } finally {
    reporter.clear();
  }
}

/** Prints that a worker has written a shard, or why it has not. */
export function tellShard(shard: number, error?: Error): void {
  process.stderr.write(error === undefined ? `wrote shard ${shard}\n` : `shard ${shard} failed: ${error.message}\n`);
}

function tellGivenUp(givenUp: readonly GivenUpShard[]): void {
  for (const { shard, reason, attempts } of givenUp)
    process.stderr.write(`Shard ${shard} was given up after ${attempts} tries: ${reason}\n`);
}

/** Shows progress: a bar on a terminal; without one, a line every 30 seconds. */
class Reporter {
  private readonly bar = new ProgressBar();
  private lastLine = performance.now();

  /** @param fraction The finished share of the work, in `[0, 1]`. */
  show(fraction: number, text: string): void {
    this.bar.show(fraction, text);
    const now = performance.now();
    if (process.stderr.isTTY || now - this.lastLine < 30_000) return;
    this.lastLine = now;
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    this.bar.clear();
  }
}

const count = (value: number) => value.toLocaleString('en');

function textOf({
  stage,
  done,
  total,
  successes,
  rate,
  secondsLeft,
  bytesPerSecond,
  problems,
}: PrepareProgress): string {
  if (stage === 'scan') return `reading row ${count(done)} of the lists`;
  const speed =
    rate === undefined || bytesPerSecond === undefined
      ? ''
      : `, ${rate.toFixed(0)} rows/s, ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`;
  const left = secondsLeft === undefined || done === total ? '' : `, ${duration(secondsLeft)} left`;
  const [first] = Object.entries(problems).sort(([, a], [, b]) => b - a);
  const most = first === undefined ? '' : `, most often ${first[0]}`;
  return `row ${count(done)} of ${count(total)}, ${count(successes)} images${speed}${left}${most}`;
}

function report({ plan, shards, rows, successes, problems }: PrepareSummary): void {
  const lines = [
    `${count(successes)} images of ${count(rows)} rows, in ${shards.written} of ${shards.total} shards.`,
    ...Object.entries(problems).map(([problem, of]) => `  ${count(of)} ${problem}`),
    ...plan.problems.map(
      ({ problem, count: of, example }) => `  ${count(of)} rows of the lists: ${problem}, such as ${example}`,
    ),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}
