import {
  DisposedError,
  type ImageRanker,
  type ImageTokenDecoder,
  type ImageTokenizer,
  OptionError,
  object,
  type RgbImage,
  readOptions,
  type SamplingOptions,
  samplingFields,
  type TextEncoder,
  type TextEncoding,
} from '@dalle-mini/core';
import { squareColumns } from '../images/image-grid.js';
import { GeneratedImage } from './generated-image.js';
import { encodeImagePrompt } from './image-prompt.js';
import {
  batchSize,
  type GenerateOptions,
  type GenerateProgress,
  type GenerateUpdate,
  generateFields,
} from './options.js';
import { streamOf } from './stream.js';

export type { ImageRanker, ImageTokenDecoder, ImageTokenizer, RgbImage, TextEncoder } from '@dalle-mini/core';
export { GeneratedImage } from './generated-image.js';
export { type ImagePrompt, imagePromptFields } from './image-prompt.js';
export {
  type GenerateNumbers,
  type GenerateOptions,
  type GenerateProgress,
  type GenerateUpdate,
  generateNumbers,
} from './options.js';

/** The parts of a text-to-image model: any implementations of the interfaces. */
export interface TextToImageParts {
  /** Turns the decoder's tokens into pixels. */
  readonly imageTokenizer: ImageTokenizer;
  /** Encodes the prompt. */
  readonly textEncoder: TextEncoder;
  /** Generates image tokens. Grid size and vocabulary must equal those of the image tokenizer. */
  readonly decoder: ImageTokenDecoder;
  /** Sorts the images, best first. */
  readonly ranker?: ImageRanker | undefined;
  /** The model's default sampling options. */
  readonly sampling?: SamplingOptions | undefined;
  /** A runtime that only these parts use. It is disposed of after them. */
  readonly runtime?: { dispose(): Promise<void> } | undefined;
}

/**
 * Generates images from text: DALL·E Mini, composed of a text encoder, a decoder that generates image tokens, an image
 * tokenizer that turns tokens into pixels and, optionally, a ranker.
 */
export class TextToImage implements AsyncDisposable {
  readonly imageTokenizer: ImageTokenizer;
  readonly textEncoder: TextEncoder;
  readonly decoder: ImageTokenDecoder;
  readonly ranker: ImageRanker | undefined;
  readonly sampling: SamplingOptions;
  private readonly runtime: { dispose(): Promise<void> } | undefined;
  private disposal: Promise<void> | undefined;
  /** The last negative prompt, which is usually empty. */
  private negative: { readonly prompt: string; readonly encoding: TextEncoding } | undefined;

  /**
   * @throws OptionError if decoder and image tokenizer have different grids or vocabularies, or `sampling` is out of
   *   range.
   */
  constructor({ imageTokenizer, textEncoder, decoder, ranker, sampling = {}, runtime }: TextToImageParts) {
    if (decoder.gridSize !== imageTokenizer.gridSize || decoder.vocabularySize !== imageTokenizer.vocabularySize) {
      const grid = ({ gridSize, vocabularySize }: { gridSize: number; vocabularySize: number }) =>
        `${gridSize} × ${gridSize} grids of ${vocabularySize} tokens`;
      const expected = `one that generates ${grid(imageTokenizer)}, like the image tokenizer`;
      throw new OptionError(
        'decoder',
        expected,
        decoder,
        `decoder must be ${expected}, not ${grid(decoder)}. Use a decoder that was trained with this image tokenizer.`,
      );
    }
    this.sampling = readOptions(object(samplingFields), sampling, 'TextToImage');
    this.imageTokenizer = imageTokenizer;
    this.textEncoder = textEncoder;
    this.decoder = decoder;
    this.ranker = ranker;
    this.runtime = runtime;
  }

  /**
   * Generates `n` images from a prompt, in the order of their index or, with a ranker, best first.
   *
   * Image `index` of a seed is the same in every call with the same prompt and sampling options, because each image has
   * its own random stream. (Up to eight images are generated at once. Rounding may differ in a batch of another size,
   * which hardly ever changes a token.)
   *
   * @param prompt Text of any length and content. Tokens beyond the text encoder's `maxLength` are ignored, and the
   *   images have a warning. Lone surrogates become U+FFFD.
   * @throws OptionError if the prompt is blank, or an option is unknown or out of its range; DisposedError after
   *   `dispose()`; the signal's reason if it aborts.
   *
   * @example
   * ```ts
   * import { fromPretrained } from '@dalle-mini/pipeline';
   *
   * await using model = await fromPretrained();
   * const [picture] = await model.generate('a red apple', { seed: 7 });
   * await picture?.save('apple.png');
   * ```
   */
  async generate(prompt: string, options: GenerateOptions = {}): Promise<GeneratedImage[]> {
    if (this.disposal) throw new DisposedError('This model was disposed of. Open it again with fromPretrained().');
    const text = checkPrompt(prompt);
    const given = readOptions(generateFields, options, 'generate');
    const { n = 1, seed = randomSeed(), negativePrompt = '', seamless = false, signal, onProgress } = given;
    const columns = squareColumns(n);
    if (seamless && columns ** 2 !== n) throw new OptionError('n', 'a square number if seamless is true', n);
    const sampling = this.samplingOf(given);
    signal?.throwIfAborted();

    const startOf = await encodeImagePrompt(given, this.decoder, this.imageTokenizer, signal);
    const { encoding, unconditional } = await this.read(text, wellFormed(negativePrompt), signal);
    const grids: Int32Array[] = [];
    const images: RgbImage[] = [];
    for (let firstIndex = 0; firstIndex < n; firstIndex += batchSize) {
      const count = Math.min(batchSize, n - firstIndex);
      const batch = await this.decoder.generate(captionOf(encoding, 0, count), {
        ...sampling,
        seed,
        firstIndex,
        // A decoder with an embedding of its own for no caption needs the encoding of a negative prompt only.
        unconditional: this.decoder.needsUnconditional === false && negativePrompt === '' ? undefined : unconditional,
        initial: startOf(count),
        signal,
        onProgress: ({ unit, done: row, total: rows, tokens }) =>
          onProgress?.({
            stage: 'generate',
            unit,
            done: firstIndex * rows + count * row,
            total: n * rows,
            row,
            rows,
            firstIndex,
            tokens,
            preview: () => this.preview(tokens, signal),
          }),
      });
      grids.push(...batch);
      if (!seamless) images.push(...(await this.imageTokenizer.decode(batch, { signal })));
    }
    if (seamless) images.push(...(await this.imageTokenizer.decode(grids, { signal, columns })));
    const scores = await this.scoresOf(prompt, images, signal);
    const generated = images.map(
      (image, index) =>
        new GeneratedImage({
          image,
          tokens: grids[index]!,
          seed,
          index,
          score: scores?.[index],
          warnings: encoding.warnings?.[0],
        }),
    );
    return scores && !seamless ? generated.sort((a, b) => b.score! - a.score!) : generated;
  }

  /**
   * Generates images as {@link TextToImage.generate} does, and yields the progress after each row of tokens. The last
   * update has the `images`. Leaving the loop early cancels the work.
   *
   * @example
   * ```ts
   * import { fromPretrained } from '@dalle-mini/pipeline';
   *
   * await using model = await fromPretrained();
   * for await (const { row, rows, images } of model.stream('a red apple', { seed: 7 })) {
   *   console.log(`row ${row} of ${rows}`);
   *   await images?.[0]?.save('apple.png');
   * }
   * ```
   */
  stream(prompt: string, options: Omit<GenerateOptions, 'onProgress'> = {}): AsyncGenerator<GenerateUpdate, void> {
    return streamOf<GenerateProgress, GeneratedImage[]>(
      options.signal,
      (onProgress, signal) => this.generate(prompt, { ...options, onProgress, signal }),
      (last, images) => ({ ...last, images }),
    );
  }

  /** Encodes the prompt and, unless the last call had the same one, the negative prompt. */
  private async read(prompt: string, negativePrompt: string, signal: AbortSignal | undefined) {
    const known = this.negative?.prompt === negativePrompt ? this.negative.encoding : undefined;
    const encoding = await this.textEncoder.encode(known ? [prompt] : [prompt, negativePrompt], {
      signal,
      padding: 'longest',
    });
    const unconditional = known ?? captionOf(encoding, 1, 1);
    this.negative = { prompt: negativePrompt, encoding: unconditional };
    return { encoding, unconditional };
  }

  /** Decodes grids of which only the first rows are finished. */
  private async preview(tokens: readonly Int32Array[], signal: AbortSignal | undefined): Promise<RgbImage[]> {
    const { gridSize } = this.imageTokenizer;
    // Missing rows repeat the last one: the decoded edge of the finished rows then changes little later.
    const grids = tokens.map((written) => {
      const grid = new Int32Array(gridSize ** 2);
      const lastRow = written.subarray(written.length - gridSize);
      for (let start = 0; start < grid.length; start += gridSize) grid.set(lastRow, start);
      grid.set(written);
      return grid;
    });
    const images = await this.imageTokenizer.decode(grids, { signal });
    return images.map(({ width, height, data }, i) => {
      const end = 3 * width * Math.round((height * tokens[i]!.length) / gridSize ** 2);
      return { width, height, data: Uint8ClampedArray.from(data).fill(255, end) };
    });
  }

  /**
   * Merges the options of a call into the model's defaults. Limits `topK` to the vocabulary size, as decoders require.
   */
  private samplingOf(options: SamplingOptions): SamplingOptions {
    const names = Object.keys(samplingFields) as (keyof SamplingOptions)[];
    const entries = names.map((name) => [name, options[name] ?? this.sampling[name]] as const);
    const { topK, ...sampling }: SamplingOptions = Object.fromEntries(
      entries.filter(([, value]) => value !== undefined),
    );
    return topK === undefined ? sampling : { ...sampling, topK: Math.min(topK, this.decoder.vocabularySize) };
  }

  private async scoresOf(
    prompt: string,
    images: readonly RgbImage[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array | undefined> {
    const scores = await this.ranker?.rank(prompt, images, { signal });
    if (scores && scores.length !== images.length)
      throw new Error(`The ranker must return ${images.length} scores, one per image, not ${scores.length}.`);
    return scores;
  }

  /** Frees the parts. Running calls reject. A second call of `dispose` waits for the first. */
  dispose(): Promise<void> {
    this.disposal ??= (async () => {
      const parts = [this.imageTokenizer, this.textEncoder, this.decoder, this.ranker];
      await Promise.all(parts.map((part) => part?.dispose()));
      await this.runtime?.dispose();
    })();
    return this.disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Returns a random seed of 32 bits. */
function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/**
 * Checks that a prompt is not blank.
 *
 * @returns The prompt with U+FFFD in place of lone surrogates, which UTF-8 cannot encode.
 * @throws OptionError if it is not a string, or has only spaces and invisible characters.
 */
export function checkPrompt(prompt: string): string {
  const isBlank = typeof prompt !== 'string' || !/[^\s\p{Cc}\p{Cf}]/u.test(prompt);
  if (isBlank) throw new OptionError('prompt', 'a description of the image, such as "a red apple"', prompt);
  return wellFormed(prompt);
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Repeats one caption of an encoding `count` times. */
function captionOf(encoding: TextEncoding, index: number, count: number): TextEncoding {
  const { hiddenStates, attentionMask, tokens, pooled, batch, length, width } = encoding;
  const repeat = <Data extends Float32Array | Int32Array>(data: Data, size: number, to: Data): Data => {
    const one = data.subarray(index * size, (index + 1) * size);
    for (let i = 0; i < count; i++) to.set(one, i * size);
    return to;
  };
  return {
    hiddenStates: repeat(hiddenStates, length * width, new Float32Array(count * length * width)),
    attentionMask: repeat(attentionMask, length, new Int32Array(count * length)),
    tokens: tokens && repeat(tokens, length, new Int32Array(count * length)),
    pooled: pooled && repeat(pooled, pooled.length / batch, new Float32Array((count * pooled.length) / batch)),
    batch: count,
    length,
    width,
  };
}
