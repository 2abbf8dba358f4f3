import { dirname } from 'node:path';
import { OptionError, type SamplingOptions } from '@dalle-mini/core';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import {
  checkPrompt,
  encodeImage,
  fromPretrained,
  type GeneratedImage,
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
  readonly seamless: boolean;
  readonly out: string;
  readonly format?: ImageFormat | undefined;
  readonly model: string;
  readonly revision?: string | undefined;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini generate`: generates images, writes them, and prints the paths of the files. */
export async function generate(prompt: string, command: GenerateCommand): Promise<void> {
  const started = performance.now();
  const { n, seed, out, format, negativePrompt, seamless, json, signal, temperature, topK, topP, guidanceScale } =
    command;
  try {
    checkPrompt(prompt);
  } catch (error) {
    throw OptionError.isInstance(error) ? new UsageError(error.message) : error;
  }
  const output = await planOutput(out, format);
  const bar = new ProgressBar();
  const model = await fromPretrained(command.model, {
    revision: command.revision,
    prepare: n,
    signal,
    onProgress: (progress) => showLoading(bar, progress),
  }).finally(() => bar.clear());
  try {
    const images = await model.generate(prompt, {
      n,
      seed,
      temperature,
      topK,
      topP,
      guidanceScale,
      negativePrompt,
      seamless,
      signal,
      onProgress: ({ done, total, tokens, firstIndex, row, rows }) => {
        const batch = n > tokens.length ? `images ${firstIndex + 1} to ${firstIndex + tokens.length}, ` : '';
        bar.show(done / total, `${batch}row ${row} of ${rows}`);
      },
    });
    bar.clear();
    const [first] = images as [GeneratedImage, ...GeneratedImage[]];
    for (const { message } of first.warnings) process.stderr.write(`Warning: ${message}\n`);
    const paths = await write(output, images, seamless, signal);
    const seconds = (performance.now() - started) / 1000;
    if (json) {
      const sampling = { ...model.sampling, ...defined({ temperature, topK, topP, guidanceScale }) };
      const result = {
        prompt,
        model: command.model,
        seed: first.seed,
        ...sampling,
        seconds: Number(seconds.toFixed(3)),
        warnings: first.warnings,
        images: images.map(({ image: { width, height }, index }, i) => ({
          path: paths[output.kind === 'file' ? 0 : i],
          index,
          width,
          height,
        })),
      };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    } else {
      process.stdout.write(paths.map((path) => `${path}\n`).join(''));
      process.stderr.write(`seed ${first.seed}, ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}\n`);
    }
  } finally {
    bar.clear();
    await model.dispose();
  }
}

function showLoading(bar: ProgressBar, { stage, model, done, total, rate, secondsLeft }: LoadProgress): void {
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

async function write(
  { kind, path, format }: Output,
  images: readonly GeneratedImage[],
  seamless: boolean,
  signal: AbortSignal,
): Promise<string[]> {
  const pixels = images.map(({ image }) => image);
  const grid = () => imageGrid(pixels, seamless ? { gap: 0 } : {});
  const files = await Promise.all((kind === 'file' ? [grid()] : pixels).map((image) => encodeImage(image, { format })));
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
