import { randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  checkPrompt,
  encodeImage,
  fromPretrained,
  type GeneratedImage,
  type ImageFormat,
  imageFormats,
  imageGrid,
  type LoadProgress,
  OptionError,
  type Sampling,
  type TextToImage,
} from '@dalle-mini/pipeline';
import { writeFileAtomically } from '@dalle-mini/weights/node';
import { UsageError } from './errors.js';
import { type Output, planOutput, writeFiles } from './output.js';
import { duration, ProgressBar } from './progress-bar.js';

export interface GenerateCommand extends Sampling {
  readonly n: number;
  readonly seed?: number;
  readonly negative?: string;
  readonly seamless: boolean;
  readonly out: string;
  readonly format?: ImageFormat;
  readonly model: string;
  readonly revision?: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** `dalle-mini generate`: draws, writes, and prints the paths of what it wrote. */
export async function generate(prompt: string, command: GenerateCommand): Promise<void> {
  const started = performance.now();
  const { n, out, format, negative, seamless, json, signal, temperature, topK, topP, guidanceScale } = command;
  const seed = command.seed ?? randomInt(2 ** 32);
  try {
    checkPrompt(prompt);
  } catch (error) {
    throw error instanceof OptionError ? new UsageError(`the prompt ${error.expectation}`) : error;
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
    await warnIfCut(model, prompt, signal);
    const images = await model.generate(prompt, {
      n,
      seed,
      temperature,
      topK,
      topP,
      guidanceScale,
      negativePrompt: negative,
      seamless,
      signal,
      onProgress: ({ fraction, firstIndex, row, rows }) => {
        const batch = n > 8 ? `pictures ${firstIndex + 1} to ${Math.min(n, firstIndex + 8)}, ` : '';
        bar.show(fraction, `${batch}row ${row} of ${rows}`);
      },
    });
    bar.clear();
    const paths = await write(output, images, seamless, signal);
    const seconds = (performance.now() - started) / 1000;
    if (json) {
      const sampling = { ...model.sampling, ...defined({ temperature, topK, topP, guidanceScale }) };
      const pictures = images.map(({ image: { width, height }, index }, i) => ({
        path: paths[output.kind === 'file' ? 0 : i],
        index,
        width,
        height,
      }));
      const result = {
        prompt,
        model: command.model,
        seed,
        ...sampling,
        seconds: Number(seconds.toFixed(3)),
        images: pictures,
      };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    } else {
      process.stdout.write(paths.map((path) => `${path}\n`).join(''));
      process.stderr.write(`seed ${seed}, ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}\n`);
    }
  } finally {
    bar.clear();
    await model.dispose();
  }
}

function showLoading(bar: ProgressBar, progress: LoadProgress): void {
  if (progress.stage === 'convert') {
    bar.show(progress.done / progress.total, `converting ${progress.model}`);
    return;
  }
  const { bytes, total, rate, secondsLeft } = progress;
  const megabytes = (count: number) => (count / 1e6).toFixed(count < 1e7 ? 1 : 0);
  const left = secondsLeft === undefined ? '' : `, ${megabytes(rate)} MB/s, ${duration(secondsLeft)} left`;
  bar.show(total === 0 ? 1 : bytes / total, `downloading ${megabytes(bytes)} of ${megabytes(total)} MB${left}`);
}

/** Text encoders read a number of tokens; a longer prompt is cut, which nobody should have to guess. */
async function warnIfCut({ encoder }: TextToImage, prompt: string, signal: AbortSignal): Promise<void> {
  const { attentionMask, length } = await encoder.encode([prompt], { signal, padding: 'longest' });
  if (length === encoder.maxLength && attentionMask.every((bit) => bit === 1)) {
    process.stderr.write(
      `The model reads ${encoder.maxLength} tokens, about ${Math.round(encoder.maxLength * 0.75)} words, and the prompt fills them: what is beyond them is ignored.\n`,
    );
  }
}

async function write(
  { kind, path, format }: Output,
  images: readonly GeneratedImage[],
  seamless: boolean,
  signal: AbortSignal,
): Promise<string[]> {
  const pictures = images.map(({ image }) => image);
  const grid = () => imageGrid(pictures, seamless ? { gap: 0 } : {});
  const files = await Promise.all(
    (kind === 'file' ? [grid()] : pictures).map((picture) => encodeImage(picture, { format })),
  );
  signal.throwIfAborted();
  const [ending] = imageFormats[format];
  if (kind === 'folder') return writeFiles(path, new Map(files.map((file, i) => [`${i + 1}${ending}`, file])));
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, files[0]!);
  return [path];
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
