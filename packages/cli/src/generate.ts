import { dirname } from 'node:path';
import type { OpenClipOptions } from '@dalle-mini/clip/node';
import { type ImageRanker, OptionError, type RgbImage, type SamplingOptions, samplingFields } from '@dalle-mini/core';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import { decodeImage } from '@dalle-mini/data';
import {
  checkPrompt,
  type DeviceName,
  type EnlargeImageOptions,
  encodeImage,
  enlargeImage,
  type FromPretrainedOptions,
  fromPretrained,
  type GeneratedImage,
  type GenerateProgress,
  type ImageFormat,
  imageFormats,
  imageGrid,
  type LoadProgress,
} from '@dalle-mini/pipeline';
import { UsageError } from './errors.js';
import { type Output, planOutput, writeFiles } from './output.js';
import { duration, ProgressBar } from './progress-bar.js';

export interface GenerateCommand extends SamplingOptions {
  readonly n: number;
  readonly seed?: number | undefined;
  readonly negativePrompt?: string | undefined;
  /** The path of an image to start from. */
  readonly image?: string | undefined;
  readonly keepRows?: number | undefined;
  /** The path of an image. */
  readonly mask?: string | undefined;
  readonly strength?: number | undefined;
  readonly seamless: boolean;
  readonly out: string;
  readonly format?: ImageFormat | undefined;
  readonly model: string;
  readonly revision?: string | undefined;
  readonly which?: FromPretrainedOptions['which'];
  /** A CLIP: the path of a folder, or a name of the hub. */
  readonly rank?: string | undefined;
  /** Number of images that are generated and ranked. Default `n`. */
  readonly candidates?: number | undefined;
  /** Up to {@link maxFactor} a factor, or else the new width in pixels. */
  readonly scale?: number | undefined;
  readonly kernel?: EnlargeImageOptions['kernel'];
  readonly threads?: number | undefined;
  readonly device?: DeviceName | undefined;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** The largest `--scale` that is a factor. */
const maxFactor = 16;

/** The largest width and height of a file in pixels: WebP allows no more. */
const maxFileWidth = 16_383;

/** Runs `dalle-mini generate`: generates images, writes them, and prints the paths of the files. */
export async function generate(prompt: string, command: GenerateCommand): Promise<void> {
  const started = performance.now();
  const { n, seed, out, format, negativePrompt, seamless, json, signal } = command;
  const sampling = samplingOf(command);
  const { threads, device, rank, candidates = n, kernel, keepRows, strength } = command;
  checkTogether(command);
  try {
    checkPrompt(prompt);
  } catch (error) {
    throw OptionError.isInstance(error) ? new UsageError(error.message) : error;
  }
  const output = await planOutput(out, format);
  const bar = new ProgressBar();
  const ranker = rank === undefined ? undefined : await openRanker(rank, command, bar);
  const model = await fromPretrained(command.model, {
    revision: command.revision,
    which: command.which,
    prepare: candidates,
    ranker,
    threads,
    device,
    signal,
    onProgress: (progress) => showLoading(bar, progress),
  })
    .catch(async (error: unknown) => {
      await ranker?.dispose();
      throw error;
    })
    .finally(() => bar.clear());
  try {
    const { imageSize } = model.imageTokenizer;
    const width = scaledWidth(command, imageSize, output);
    const options = {
      n: candidates,
      seed,
      ...sampling,
      negativePrompt,
      image: await openImage(command.image, imageSize),
      keepRows,
      mask: await openImage(command.mask, imageSize),
      strength,
      seamless,
      signal,
      onProgress: ({ unit, done, total, tokens, firstIndex, row, rows }: GenerateProgress) => {
        const batch = candidates > tokens.length ? `images ${firstIndex + 1} to ${firstIndex + tokens.length}, ` : '';
        bar.show(done / total, `${batch}${unit === 'rows' ? 'row' : 'pass'} ${row} of ${rows}`);
      },
    };
    const generated = await model.generate(prompt, options).catch((error: unknown) => {
      throw withFlag(error);
    });
    bar.clear();
    const images = generated.slice(0, n);
    const [first] = images as [GeneratedImage, ...GeneratedImage[]];
    for (const { message } of first.warnings) process.stderr.write(`Warning: ${message}\n`);
    const pictures = images.map(({ image }) => image);
    const enlarged = width === undefined ? pictures : await enlarge(pictures, width, kernel, seamless);
    const paths = await write(output, enlarged, seamless, signal);
    const seconds = (performance.now() - started) / 1000;
    if (json) {
      const result = {
        prompt,
        model: command.model,
        seed: first.seed,
        ...model.sampling,
        ...sampling,
        seconds: Number(seconds.toFixed(3)),
        warnings: first.warnings,
        images: images.map(({ index, score }, i) => ({
          path: paths[output.kind === 'file' ? 0 : i],
          index,
          width: enlarged[i]!.width,
          height: enlarged[i]!.height,
          ...defined({ score }),
        })),
      };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    } else {
      process.stdout.write(paths.map((path) => `${path}\n`).join(''));
      if (ranker) process.stderr.write(`scores ${images.map(({ score }) => score!.toFixed(2)).join(', ')}\n`);
      process.stderr.write(`seed ${first.seed}, ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}\n`);
    }
  } finally {
    bar.clear();
    await model.dispose();
  }
}

/** Shows the progress of downloading or converting a model. */
export function showLoading(bar: ProgressBar, { stage, model, done, total, rate, secondsLeft }: LoadProgress): void {
  const fraction = total === 0 ? 1 : done / total;
  if (stage === 'convert') {
    bar.show(fraction, `converting ${model}`);
    return;
  }
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  const left =
    rate === undefined || secondsLeft === undefined ? '' : `, ${megabytes(rate)} MB/s, ${duration(secondsLeft)} left`;
  bar.show(fraction, `downloading ${megabytes(done)} of ${megabytes(total)} MB${left}`);
}

/** The options of {@link GenerateCommand} that are checked against the model, as they are on the command line. */
const flags: Readonly<Record<string, string>> = {
  image: '--image',
  keepRows: '--keep-rows',
  mask: '--mask',
  strength: '--strength',
  passes: '--passes',
  choiceTemperature: '--choice-temperature',
};

/** Returns the options of sampling that are given. */
function samplingOf(command: SamplingOptions): SamplingOptions {
  const names = Object.keys(samplingFields) as (keyof SamplingOptions)[];
  return defined(Object.fromEntries(names.map((name) => [name, command[name]])));
}

/** Reads a picture as the model needs it: scaled, and cropped to a square. */
async function openImage(path: string | undefined, imageSize: number): Promise<RgbImage | undefined> {
  return path === undefined ? undefined : decodeImage(path, imageSize);
}

/** Names the option of the command line in an error about an option that does not fit the model. */
function withFlag(error: unknown): unknown {
  const flag = OptionError.isInstance(error) ? flags[error.option] : undefined;
  if (!OptionError.isInstance(error) || flag === undefined) return error;
  return new UsageError(error.message.replace(error.option, flag).replaceAll('keepRows', flags.keepRows!));
}

/** Refuses options that need or exclude each other. */
function checkTogether(command: GenerateCommand): void {
  const { n, rank, candidates, seamless, scale, kernel, image, keepRows, mask } = command;
  if (candidates !== undefined && rank === undefined)
    throw new UsageError('--candidates needs --rank, which chooses the best of them. Set --rank, or only --n.');
  if (candidates !== undefined && candidates < n)
    throw new UsageError(`--candidates must be at least --n, ${n}, not ${candidates}.`);
  if (rank !== undefined && seamless)
    throw new UsageError('--rank and --seamless exclude each other: the images of one large image keep their order.');
  if (kernel !== undefined && scale === undefined)
    throw new UsageError('--kernel needs --scale. Set --scale, or leave --kernel out.');
  for (const option of ['keepRows', 'mask', 'strength'] as const) {
    if (command[option] !== undefined && image === undefined)
      throw new UsageError(`${flags[option]} needs --image. Set --image, or leave ${flags[option]} out.`);
  }
  if (keepRows !== undefined && mask !== undefined)
    throw new UsageError('--keep-rows and --mask exclude each other. Leave one of them out.');
}

/**
 * Opens the CLIP of `--rank`.
 *
 * @throws UsageError if it is neither a folder nor a name of the hub.
 */
export async function openRanker(
  source: string,
  { threads, runtime, batchSize, signal }: Pick<OpenClipOptions, 'threads' | 'runtime' | 'batchSize' | 'signal'>,
  bar: ProgressBar,
): Promise<ImageRanker> {
  const { openClipRanker } = await import('@dalle-mini/clip/node');
  try {
    const onProgress = (progress: Omit<LoadProgress, 'model'>) => showLoading(bar, { ...progress, model: source });
    return await openClipRanker(source, { threads, runtime, batchSize, signal, onProgress });
  } catch (error) {
    const isSource = OptionError.isInstance(error) && error.option === 'source';
    throw isSource ? new UsageError(`--rank ${error.message.slice('source '.length)}`) : error;
  } finally {
    bar.clear();
  }
}

/**
 * Returns the width of each enlarged image, or `undefined` without `--scale`.
 *
 * @throws UsageError if the images would become smaller, or a file would be too large.
 */
function scaledWidth({ n, scale }: GenerateCommand, imageSize: number, { kind }: Output): number | undefined {
  if (scale === undefined) return undefined;
  const width = scale <= maxFactor ? scale * imageSize : scale;
  if (width < imageSize)
    throw new UsageError(
      `--scale must be a factor, 2 to ${maxFactor}, or at least ${imageSize}, the width of the images, not ${scale}.`,
    );
  const columns = kind === 'file' ? Math.ceil(Math.sqrt(n)) : 1;
  if (columns * width * (1 + 1 / 32) > maxFileWidth) {
    throw new UsageError(
      `--scale ${scale} would give a file of more than ${maxFileWidth} pixels width. Use a smaller one, or a folder as --out.`,
    );
  }
  return width;
}

/** Enlarges images. Those without seams are enlarged as one, so that none appear. */
async function enlarge(
  images: readonly RgbImage[],
  width: number,
  kernel: GenerateCommand['kernel'],
  seamless: boolean,
): Promise<RgbImage[]> {
  if (!seamless) return Promise.all(images.map((image) => enlargeImage(image, { width, kernel })));
  const columns = Math.sqrt(images.length);
  const whole = await enlargeImage(imageGrid(images, { gap: 0 }), { width: columns * width, kernel });
  return images.map((_, i) => cut(whole, (i % columns) * width, Math.floor(i / columns) * width, width));
}

/** Returns a square part of an image. */
function cut(image: RgbImage, left: number, top: number, size: number): RgbImage {
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const start = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(start, start + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data };
}

async function write(
  { kind, path, format }: Output,
  images: readonly RgbImage[],
  seamless: boolean,
  signal: AbortSignal,
): Promise<string[]> {
  const grid = () => imageGrid(images, seamless ? { gap: 0 } : {});
  const files = await Promise.all((kind === 'file' ? [grid()] : images).map((image) => encodeImage(image, { format })));
  signal.throwIfAborted();
  const [extension] = imageFormats[format];
  if (kind === 'folder') return writeFiles(path, new Map(files.map((file, i) => [`${i + 1}${extension}`, file])));
  await makeFolder(dirname(path));
  await writeFileAtomically(path, files[0]!);
  return [path];
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
