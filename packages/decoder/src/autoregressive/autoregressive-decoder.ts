import {
  createRandom,
  type DecodeOptions,
  type ImageTokenDecoder,
  type InitialTokens,
  nextTurn,
  object,
  readOptions,
  type SamplingOptions,
  samplingFields,
  type TextEncoding,
} from '@dalle-mini/core';
import { type RuntimeOwnership, runtimeOwnershipFields, type TensorData } from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledGraphs, type Executables } from '../compiled-graphs.js';
import {
  aboveZero,
  checkEncodings,
  checkImages,
  checkInitial,
  decodeOptions,
  fewCandidates,
  isGuided,
  keptTokens,
  refusePasses,
  roundedLength,
  rowsKept,
  scalar,
} from '../decode-options.js';
import { type RowShape, rowGraphOf, textGraphOf } from './graphs.js';
import type { AutoregressiveModel } from './model.js';

export type AutoregressiveDecoderOptions = RuntimeOwnership;

const makeFields = object(runtimeOwnershipFields);

const samplingOptions = object(samplingFields);

/**
 * A decoder that generates tokens one by one, with its weights, on a runtime. It is compiled on first use for each number
 * of images, and again for a topK above 512.
 */
export class AutoregressiveDecoder implements ImageTokenDecoder, AsyncDisposable {
  readonly gridSize: number;
  readonly vocabularySize: number;
  readonly keeps = 'rows';
  /** Whether guidance needs `unconditional`. Otherwise the model has an embedding of its own for no caption. */
  readonly needsUnconditional: boolean;
  private readonly options: AutoregressiveDecoderOptions;
  private readonly compiled: CompiledGraphs<RowShape, 'text' | 'row'>;

  /**
   * @param parameters Parameters with the names of `decoderParameters`. Unknown ones are ignored.
   * @throws OptionError if an option is wrong.
   */
  constructor(
    private readonly model: AutoregressiveModel,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    options: AutoregressiveDecoderOptions,
  ) {
    this.options = readOptions(makeFields, options, `new ${new.target.name}`);
    this.compiled = new CompiledGraphs(this.options, (shape) => this.compile(shape));
    this.gridSize = model.gridSize;
    this.vocabularySize = model.vocabularySize;
    this.needsUnconditional = model.needsUnconditional;
  }

  /**
   * Generates one grid for each caption of `text`. The random numbers of image i depend only on the seed and
   * `firstIndex + i`, not on the other images. Rows of `initial` that are kept take as long as those that are generated.
   *
   * @throws OptionError if an option is out of its range, or the encodings do not match this decoder.
   */
  async generate(text: TextEncoding, options: DecodeOptions = {}): Promise<Int32Array[]> {
    this.compiled.checkOpen();
    const { gridSize, vocabularySize } = this;
    const given = readOptions(decodeOptions, options, 'generate');
    refusePasses(given);
    const { signal, onProgress, initial } = given;
    const { seed = 0, firstIndex = 0, temperature = 1, topP = 1, guidanceScale = 1 } = given;
    const encodings = checkEncodings(this.model, text, given, this.needsUnconditional);
    const images = text.batch;
    if (initial) checkInitial(initial, images, this);
    const kept = initial ? rowsKept(initial, gridSize) : 0;
    signal?.throwIfAborted();

    const length = this.model.textLength ?? Math.max(text.length, encodings.unconditional?.length ?? 0);
    const executables = await this.compiled.get(this.shapeOf(images, length, given));
    signal?.throwIfAborted();
    const captions = this.model.textValues(encodings, length);
    const fixed: Record<string, TensorData> = {
      ...(await executables.text.run(captions.once)),
      ...captions.rows,
      temperature: scalar(temperature === 0 ? 1 : aboveZero(temperature)),
      topK: { dtype: 'int32', shape: [], data: Int32Array.of(keptTokens(given, vocabularySize)) },
      topP: scalar(aboveZero(topP)),
      ...(encodings.guided ? { guidanceScale: scalar(guidanceScale) } : {}),
    };
    const randoms = Array.from({ length: images }, (_, i) => createRandom('sampling', seed, firstIndex + i));
    const grids = Array.from({ length: images }, () => new Int32Array(gridSize ** 2));
    let token: TensorData = {
      dtype: 'int32',
      shape: [images],
      data: new Int32Array(images).fill(this.model.beginToken),
    };
    const bound = await executables.row.bind(fixed);
    try {
      for (let row = 0; row < gridSize; row++) {
        signal?.throwIfAborted();
        const uniforms = new Float32Array(gridSize * images);
        for (const [i, random] of randoms.entries()) {
          for (let column = 0; column < gridSize; column++) uniforms[column * images + i] = random.uniform();
        }
        const written = await bound.run({
          token,
          row: { dtype: 'int32', shape: [], data: Int32Array.of(row) },
          uniforms: { dtype: 'float32', shape: [gridSize, images], data: uniforms },
          given: this.givenTokens(images, row, row < kept ? initial : undefined),
        });
        token = written.token!;
        for (const [i, grid] of grids.entries()) {
          const tokens = written.tokens!.data.subarray(i * gridSize, (i + 1) * gridSize) as Int32Array;
          grid.set(tokens, row * gridSize);
        }
        await onProgress?.({
          stage: 'generate',
          unit: 'rows',
          done: row + 1,
          total: gridSize,
          tokens: grids.map((grid) => grid.slice(0, (row + 1) * gridSize)),
        });
      }
    } finally {
      await bound.dispose();
    }
    return grids;
  }

  /**
   * Compiles the graphs of `generate` for a number of captions and sampling options, so that the first call is faster.
   * It can run while other parts load.
   *
   * @throws OptionError if an option is out of its range, or `images` is not a whole number of at least 1.
   */
  async prepare(images: number, options: SamplingOptions = {}): Promise<void> {
    this.compiled.checkOpen();
    checkImages(images);
    const given = readOptions(samplingOptions, options, 'prepare');
    refusePasses(given);
    await this.compiled.get(this.shapeOf(images, this.model.textLength ?? 1, given));
  }

  private shapeOf(images: number, length: number, options: SamplingOptions): RowShape {
    const { model, vocabularySize } = this;
    const textLength = model.textLength ?? roundedLength(length);
    const kept = keptTokens(options, vocabularySize);
    const candidates = kept <= fewCandidates ? Math.min(fewCandidates, vocabularySize) : vocabularySize;
    return { images, guided: isGuided(options), textLength, candidates };
  }

  /** Frees the model, and its runtime if it owns it. */
  dispose(): Promise<void> {
    return this.compiled.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** The tokens of a row that are not sampled, int32 `[gridSize, images]`: −1 for those that are. */
  private givenTokens(images: number, row: number, initial: InitialTokens | undefined): TensorData {
    const { gridSize } = this;
    const data = new Int32Array(gridSize * images).fill(-1);
    for (const [i, grid] of initial?.grids.entries() ?? []) {
      for (let column = 0; column < gridSize; column++) data[column * images + i] = grid[row * gridSize + column]!;
    }
    return { dtype: 'int32', shape: [gridSize, images], data };
  }

  private async compile(shape: RowShape): Promise<Executables<'text' | 'row'>> {
    const { model, parameters } = this;
    const { runtime } = this.options;
    // Two turns of the event loop: building the first graph and passing it to the runtime would block it for 30 ms.
    const graph = rowGraphOf(model, shape);
    await nextTurn();
    // The larger graph first, because it takes longest.
    const row = runtime.compile(graph, { parameters });
    const runsOnce = model.readsTextInSequence;
    const text = nextTurn().then(() => runtime.compile(textGraphOf(model, shape), { parameters, runsOnce }));
    const results = await Promise.allSettled([text, row]);
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) return { text: await text, row: await row };
    for (const result of results) if (result.status === 'fulfilled') await result.value.dispose();
    throw failed.reason;
  }
}
