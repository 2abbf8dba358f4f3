import type { ImageTokenDecoder, ImageTokenizer, RgbImage, TextEncoder, TextEncoding } from '@dalle-mini/core';
import { squareColumns } from './image-grid.js';
import type { ImageRanker } from './image-ranker.js';
import {
  batchSize,
  checkDrawingOptions,
  checkSampling,
  type DrawingOptions,
  OptionError,
  type Sampling,
} from './options.js';

export { checkDrawingOptions, type DrawingOptions, OptionError, type Sampling } from './options.js';

/** What a text-to-image model is made of. Any implementation of the interfaces will do. */
export interface TextToImageParts {
  /** Turns the decoder's tokens into pixels. */
  readonly tokenizer: ImageTokenizer;
  /** Reads the prompt. */
  readonly encoder: TextEncoder;
  /** Writes image tokens. Its grids must be the tokenizer's. */
  readonly decoder: ImageTokenDecoder;
  /** Puts the best images first. */
  readonly ranker?: ImageRanker;
  /** The sampling that suits the model: what a call does not set. */
  readonly sampling?: Sampling;
  /** What the parts run on, if it is theirs alone: it is disposed of after them. */
  readonly runtime?: { dispose(): Promise<void> };
}

/** What has been drawn so far. */
export interface GenerateProgress {
  /** Share of the work that is done, in `[0, 1]`. */
  readonly fraction: number;
  /** Finished rows of tokens of the images that are being drawn, 1 to `rows`. */
  readonly row: number;
  /** Rows of the token grid. */
  readonly rows: number;
  /** Index of the first of the images that are being drawn: up to eight are drawn at once. */
  readonly firstIndex: number;
  /** Grids of the images that are being drawn: `row · gridSize` tokens each, in raster order. */
  readonly tokens: readonly Int32Array[];
  /**
   * The images so far: rows that are not written yet are white. It takes as long as decoding finished images, and the next row
   * waits for it.
   */
  readonly preview: () => Promise<RgbImage[]>;
}

export interface GenerateOptions extends DrawingOptions {
  /** What the images shall not show: guidance steers away from it. It has no effect if `guidanceScale` is 1. Default ''. */
  readonly negativePrompt?: string;
  /**
   * Decodes all images together, so that side by side they are one picture without seams: `imageGrid(images, { gap: 0 })` shows it.
   * `n` must be a square number, and a ranker leaves the images in their order. As min-dalle's `is_seamless`. Default false.
   */
  readonly seamless?: boolean;
  /** Cancels the work, within a row of tokens: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each row of tokens. The next row waits for the promise that it may return, and an error ends the call. */
  readonly onProgress?: (progress: GenerateProgress) => void;
}

/** An image, and how to draw it again. */
export interface GeneratedImage {
  readonly image: RgbImage;
  /** The image as the decoder wrote it: `gridSize²` tokens in raster order. */
  readonly tokens: Int32Array;
  /** The seed of the call. */
  readonly seed: number;
  /** Which image of this seed it is, from 0: the same whatever `n` is, as long as `n > index`. */
  readonly index: number;
  /** The ranker's, where there is one. */
  readonly score?: number;
}

/**
 * Text to images: DALL·E Mini, composed of an encoder of text, a decoder that writes image tokens, a tokenizer that turns
 * tokens into pixels and, if wanted, a ranker.
 */
export class TextToImage implements AsyncDisposable {
  readonly tokenizer: ImageTokenizer;
  readonly encoder: TextEncoder;
  readonly decoder: ImageTokenDecoder;
  readonly ranker: ImageRanker | undefined;
  readonly sampling: Sampling;
  private readonly runtime: { dispose(): Promise<void> } | undefined;
  private disposal: Promise<void> | undefined;
  /** The last negative prompt, which is empty as a rule. */
  private negative: { readonly prompt: string; readonly encoding: TextEncoding } | undefined;

  /** @throws Error if decoder and tokenizer have different grids or vocabularies; OptionError if `sampling` is out of range. */
  constructor({ tokenizer, encoder, decoder, ranker, sampling = {}, runtime }: TextToImageParts) {
    if (decoder.gridSize !== tokenizer.gridSize || decoder.vocabularySize !== tokenizer.vocabularySize) {
      const grid = ({ gridSize, vocabularySize }: { gridSize: number; vocabularySize: number }) =>
        `${gridSize}×${gridSize} grids of ${vocabularySize} different tokens`;
      throw new Error(
        `The decoder writes ${grid(decoder)} and the image tokenizer reads ${grid(tokenizer)}; take a decoder that was trained on this tokenizer's grids.`,
      );
    }
    checkSampling(sampling);
    this.tokenizer = tokenizer;
    this.encoder = encoder;
    this.decoder = decoder;
    this.ranker = ranker;
    this.sampling = sampling;
    this.runtime = runtime;
  }

  /**
   * Draws `n` images of what a prompt says, in the order of their index or, with a ranker, the best first.
   *
   * Image `index` of a seed is the same in every call with the same prompt and sampling: each has a random stream of its own.
   * (The rounding of the last bit may depend on the size of a batch; it hardly ever changes a token.)
   *
   * @param prompt Text of any length and content. What is beyond the encoder's `maxLength` tokens is ignored; halves of
   *   surrogate pairs count as U+FFFD.
   * @throws OptionError if the prompt is blank or an option is out of its range; the signal's reason if it aborts.
   */
  async generate(prompt: string, options: GenerateOptions = {}): Promise<GeneratedImage[]> {
    if (this.disposal) throw new Error('This TextToImage was disposed of; make a new one.');
    const { n = 1, seed = 0, negativePrompt = '', seamless = false, signal, onProgress } = options;
    checkPrompt(prompt);
    if (typeof negativePrompt !== 'string') throw new OptionError('negativePrompt', 'must be a string', negativePrompt);
    checkDrawingOptions(options);
    const columns = squareColumns(n);
    if (seamless && columns ** 2 !== n) throw new OptionError('n', 'must be a square number to be seamless', n);
    const sampling = this.samplingOf(options);
    signal?.throwIfAborted();

    const { encoding, unconditional } = await this.read(wellFormed(prompt), wellFormed(negativePrompt), signal);
    const grids: Int32Array[] = [];
    const images: RgbImage[] = [];
    for (let firstIndex = 0; firstIndex < n; firstIndex += batchSize) {
      const count = Math.min(batchSize, n - firstIndex);
      const batch = await this.decoder.generate(captionOf(encoding, 0, count), {
        ...sampling,
        seed,
        firstIndex,
        unconditional,
        signal,
        onProgress: ({ done: row, total: rows, tokens }) =>
          onProgress?.({
            fraction: (firstIndex + (count * row) / rows) / n,
            row,
            rows,
            firstIndex,
            tokens,
            preview: () => this.preview(tokens, signal),
          }),
      });
      grids.push(...batch);
      if (!seamless) images.push(...(await this.tokenizer.decode(batch, { signal })));
    }
    if (seamless) images.push(...(await this.tokenizer.decode(grids, { signal, columns })));
    const generated = images.map((image, index) => ({ image, tokens: grids[index]!, seed, index }));
    if (!this.ranker) return generated;
    const scored = await scoreImages(this.ranker, prompt, generated, signal);
    return seamless ? scored : scored.sort((a, b) => b.score - a.score);
  }

  /** Encodes a prompt, and the negative one, unless it is that of the last call. */
  private async read(prompt: string, negativePrompt: string, signal: AbortSignal | undefined) {
    const known = this.negative?.prompt === negativePrompt ? this.negative.encoding : undefined;
    const encoding = await this.encoder.encode(known ? [prompt] : [prompt, negativePrompt], {
      signal,
      padding: 'longest',
    });
    const unconditional = known ?? captionOf(encoding, 1, 1);
    this.negative = { prompt: negativePrompt, encoding: unconditional };
    return { encoding, unconditional };
  }

  /** Decodes grids of which only the first rows are written. */
  private async preview(tokens: readonly Int32Array[], signal: AbortSignal | undefined): Promise<RgbImage[]> {
    const { gridSize } = this.tokenizer;
    // What is missing continues the last row, so that the edge of what is there looks as it will.
    const grids = tokens.map((written) => {
      const grid = new Int32Array(gridSize ** 2);
      const lastRow = written.subarray(written.length - gridSize);
      for (let start = 0; start < grid.length; start += gridSize) grid.set(lastRow, start);
      grid.set(written);
      return grid;
    });
    const images = await this.tokenizer.decode(grids, { signal });
    return images.map(({ width, height, data }, i) => {
      const end = 3 * width * Math.round((height * tokens[i]!.length) / gridSize ** 2);
      return { width, height, data: Uint8ClampedArray.from(data).fill(255, end) };
    });
  }

  /** Frees the parts. What they are computing is rejected; a second call waits for the first. */
  dispose(): Promise<void> {
    this.disposal ??= (async () => {
      await Promise.all([this.tokenizer, this.encoder, this.decoder, this.ranker].map((part) => part?.dispose()));
      await this.runtime?.dispose();
    })();
    return this.disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** The model's sampling with what a call sets, as the decoder takes it: 'all' tokens is the size of the vocabulary. */
  private samplingOf(options: Sampling): Sampling {
    const { temperature, topK, topP, guidanceScale } = { ...this.sampling, ...withoutUndefined(options) };
    const kept = topK === undefined ? undefined : Math.min(topK, this.decoder.vocabularySize);
    return withoutUndefined({ temperature, topK: kept, topP, guidanceScale });
  }
}

/**
 * Refuses a prompt that describes nothing.
 * @throws OptionError if it is no string, or has nothing but spaces and invisible characters.
 */
export function checkPrompt(prompt: string): void {
  const expectation = 'must describe the picture, such as "a red apple"';
  if (typeof prompt !== 'string') throw new OptionError('prompt', expectation, prompt);
  if (!/[^\s\p{Cc}\p{Cf}]/u.test(prompt)) throw new OptionError('prompt', expectation, prompt.slice(0, 20));
}

/** Replaces halves of surrogate pairs, which are no characters and have no UTF-8, by U+FFFD. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** One caption of an encoding, `count` times. */
function captionOf(
  { hiddenStates, attentionMask, length, width }: TextEncoding,
  index: number,
  count: number,
): TextEncoding {
  const size = length * width;
  const states = hiddenStates.subarray(index * size, (index + 1) * size);
  const mask = attentionMask.subarray(index * length, (index + 1) * length);
  const repeated = { hiddenStates: new Float32Array(count * size), attentionMask: new Int32Array(count * length) };
  for (let i = 0; i < count; i++) {
    repeated.hiddenStates.set(states, i * size);
    repeated.attentionMask.set(mask, i * length);
  }
  return { ...repeated, batch: count, length, width };
}

async function scoreImages(
  ranker: ImageRanker,
  prompt: string,
  images: readonly GeneratedImage[],
  signal: AbortSignal | undefined,
): Promise<(GeneratedImage & { readonly score: number })[]> {
  const scores = await ranker.rank(
    prompt,
    images.map(({ image }) => image),
    { signal },
  );
  if (scores.length !== images.length)
    throw new Error(`The ranker gave ${scores.length} scores for ${images.length} images.`);
  return images.map((image, i) => ({ ...image, score: scores[i]! }));
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
