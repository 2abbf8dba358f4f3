import {
  createRandom,
  type DecodeOptions,
  type ImageTokenDecoder,
  type InitialTokens,
  nextTurn,
  object,
  type Random,
  readOptions,
  type SamplingOptions,
  samplingFields,
  type TextEncoding,
} from '@dalle-mini/core';
import { type RuntimeOwnership, runtimeOwnershipFields, type TensorValues } from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledGraphs } from '../compiled-graphs.js';
import {
  aboveZero,
  checkEncodings,
  checkImages,
  checkInitial,
  decodeOptions,
  fewCandidates,
  isGuided,
  keptTokens,
  roundedLength,
  scalar,
} from '../decode-options.js';
import { type PassShape, passGraph } from './graph.js';
import type { MaskedModel } from './model.js';
import { choiceTemperatureAt, leastConfident, maskedNext, maskedShare, randomPlaces } from './schedule.js';

const makeFields = object(runtimeOwnershipFields);

const samplingOptions = object(samplingFields);

/** The options of sampling that masked decoders have alone, where a call and the model leave them out. */
export const maskedDefaults = { passes: 12, choiceTemperature: 4.5 } as const;

/**
 * A decoder that generates all tokens in a few passes (MaskGIT, Chang et al. 2022), with its weights, on a runtime. Each pass predicts
 * the tokens that are still masked, keeps those that it is most confident of, and masks the others again. Any tokens may be given.
 * It is compiled on first use for each number of images.
 */
export class MaskedDecoder implements ImageTokenDecoder, AsyncDisposable {
  readonly gridSize: number;
  readonly vocabularySize: number;
  readonly keeps = 'any';
  private readonly compiled: CompiledGraphs<PassShape, 'pass'>;

  /**
   * @param parameters Parameters with the names of `decoderParameters`. Unknown ones are ignored.
   * @throws OptionError if an option is wrong.
   */
  constructor(
    private readonly model: MaskedModel,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: RuntimeOwnership,
  ) {
    const owner = readOptions(makeFields, options, `new ${new.target.name}`);
    this.compiled = new CompiledGraphs(owner, async (shape) => {
      await nextTurn();
      return { pass: await owner.runtime.compile(passGraph(model, shape), { parameters }) };
    });
    this.gridSize = model.gridSize;
    this.vocabularySize = model.vocabularySize;
  }

  /**
   * Generates one grid for each caption of `text`. The random numbers of image i depend only on the seed and
   * `firstIndex + i`, not on the other images.
   *
   * @throws OptionError if an option is out of its range, or the encodings do not match this decoder.
   */
  async generate(text: TextEncoding, options: DecodeOptions = {}): Promise<Int32Array[]> {
    this.compiled.checkOpen();
    const given = readOptions(decodeOptions, options, 'generate');
    const { seed = 0, firstIndex = 0, signal, onProgress, initial } = given;
    const { passes = maskedDefaults.passes, choiceTemperature = maskedDefaults.choiceTemperature } = given;
    const encodings = checkEncodings(this.model, text, given, true);
    if (initial) checkInitial(initial, text.batch, this);
    signal?.throwIfAborted();

    const length = this.model.textLength ?? Math.max(text.length, encodings.unconditional?.length ?? 0);
    const shape = this.shapeOf(text.batch, length, given);
    const { pass: executable } = await this.compiled.get(shape);
    const fixed = { ...this.model.textValues(encodings, shape.textLength), ...this.samplingValues(shape, given) };
    const first = passes - Math.max(1, Math.round(passes * (initial?.strength ?? 1)));
    const images = Array.from({ length: text.batch }, (_, i) =>
      this.startImage(initial, i, first / passes, [seed, firstIndex + i]),
    );
    for (let pass = first; pass < passes; pass++) {
      signal?.throwIfAborted();
      const { sampled, logProbabilities } = await executable.run(this.passValues(shape, images, fixed));
      const places = this.gridSize ** 2;
      for (const [i, image] of images.entries()) {
        const ofImage = <A extends Float32Array | Int32Array>(data: A) =>
          data.subarray(i * places, (i + 1) * places) as A;
        for (const place of image.masked) image.grid[place] = ofImage(sampled!.data as Int32Array)[place]!;
        if (pass === passes - 1) continue;
        image.masked = leastConfident(
          image.masked,
          ofImage(logProbabilities!.data as Float32Array),
          maskedNext(image.free, image.masked.length, (pass + 1) / passes),
          choiceTemperatureAt(choiceTemperature, pass, passes),
          image.random,
        );
      }
      await onProgress?.({
        stage: 'generate',
        unit: 'passes',
        done: pass + 1 - first,
        total: passes - first,
        tokens: images.map(({ grid }) => grid.slice()),
      });
    }
    return images.map(({ grid }) => grid);
  }

  /**
   * Compiles the graph of `generate` for a number of captions and sampling options, so that the first call is faster.
   * It can run while other parts load.
   *
   * @throws OptionError if an option is out of its range, or `images` is not a whole number of at least 1.
   */
  async prepare(images: number, options: SamplingOptions = {}): Promise<void> {
    this.compiled.checkOpen();
    checkImages(images);
    const given = readOptions(samplingOptions, options, 'prepare');
    await this.compiled.get(this.shapeOf(images, this.model.textLength ?? 1, given));
  }

  /** Frees the model, and its runtime if it owns it. */
  dispose(): Promise<void> {
    return this.compiled.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** The tokens of an image before the first pass, and the places that are masked in it. */
  private startImage(
    initial: InitialTokens | undefined,
    index: number,
    progress: number,
    [seed, image]: readonly [number, number],
  ): Image {
    const grid = initial ? initial.grids[index]!.slice() : new Int32Array(this.gridSize ** 2);
    const free = Array.from(grid.keys()).filter((place) => !initial?.keep[place]);
    const masked = progress === 0 ? free : randomPlaces(free, maskedShare(progress), 'mask', seed, image);
    return { grid, masked, free: free.length, random: createRandom('sampling', seed, image) };
  }

  private shapeOf(images: number, length: number, options: SamplingOptions): PassShape {
    const { model, vocabularySize } = this;
    const textLength = model.textLength ?? roundedLength(length);
    return { images, guided: isGuided(options), textLength, candidates: candidatesOf(options, vocabularySize) };
  }

  private samplingValues({ guided, candidates }: PassShape, options: SamplingOptions): TensorValues {
    const { temperature = 1, topP = 1, guidanceScale = 1 } = options;
    const filters = {
      topK: { dtype: 'int32', shape: [], data: Int32Array.of(keptTokens(options, this.vocabularySize)) },
      topP: scalar(aboveZero(topP)),
    } as const;
    return {
      ...(candidates === 1 ? {} : { temperature: scalar(aboveZero(temperature)) }),
      ...(candidates === undefined || candidates === 1 ? {} : filters),
      ...(guided ? { guidanceScale: scalar(guidanceScale) } : {}),
    };
  }

  private passValues({ candidates }: PassShape, images: readonly Image[], fixed: TensorValues): TensorValues {
    const shape = [images.length, this.gridSize ** 2];
    const tokens = new Int32Array(images.length * this.gridSize ** 2);
    for (const [i, { grid, masked }] of images.entries()) {
      const ofImage = tokens.subarray(i * grid.length, (i + 1) * grid.length);
      ofImage.set(grid);
      for (const place of masked) ofImage[place] = this.model.maskToken;
    }
    const uniforms = images.flatMap(({ grid, random }) => Array.from(grid, () => random.uniform()));
    return {
      ...fixed,
      tokens: { dtype: 'int32', shape, data: tokens },
      ...(candidates === 1 ? {} : { uniforms: { dtype: 'float32', shape, data: Float32Array.from(uniforms) } }),
    };
  }
}

/** An image between two passes. */
interface Image {
  /** Its tokens. Those at masked places do not matter. */
  readonly grid: Int32Array;
  /** The places that the next pass predicts. */
  masked: readonly number[];
  /** Number of places that are generated in all. */
  readonly free: number;
  readonly random: Random;
}

/** Returns how many of the most likely tokens are sorted: `undefined` for none, because every token may be sampled. */
function candidatesOf(options: SamplingOptions, vocabularySize: number): number | undefined {
  const kept = keptTokens(options, vocabularySize);
  if (kept === 1) return 1;
  if (kept === vocabularySize && (options.topP ?? 1) === 1) return undefined;
  return kept <= fewCandidates ? Math.min(fewCandidates, vocabularySize) : vocabularySize;
}
