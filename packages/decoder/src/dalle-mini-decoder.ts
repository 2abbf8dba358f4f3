import {
  createRandom,
  type Executable,
  nextTurn,
  type Runtime,
  type StoredParameter,
  sampleUniform,
  type TensorData,
} from '@dalle-mini/graph';
import type { TextEncoding } from '@dalle-mini/text-encoder';
import { checkDecoderConfig, type DecoderConfig } from './config.js';
import { beginToken } from './decoder.js';
import { type RowShape, rowGraph, textGraph } from './decoding.js';
import type { GenerateOptions, ImageTokenDecoder, SamplingOptions } from './image-token-decoder.js';

/** What is compiled for a number of images and a length of captions. */
type Executables = Readonly<Record<'text' | 'row', Executable>>;

/** DALL·E Mini's decoder with its weights, on a runtime. It is compiled for each number of images at its first use, and again for a topK above 512. */
export class DalleMiniDecoder implements ImageTokenDecoder {
  readonly gridSize: number;
  readonly vocabularySize: number;
  private readonly compiled = new Map<string, Promise<Executables>>();
  private disposed = false;

  /**
   * @param parameters named as in kuprel/min-dalle. Parameters that it does not need are left alone.
   * @param runtime the caller's, to be disposed of by the caller.
   * @throws RangeError if the configuration is not sound.
   */
  constructor(
    private readonly config: DecoderConfig,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    private readonly runtime: Runtime,
  ) {
    checkDecoderConfig(config);
    this.gridSize = config.gridSize;
    this.vocabularySize = config.vocabularySize;
  }

  /**
   * Draws one grid for each caption of `text`. Image i takes its random numbers from stream i of the seed, whatever the other
   * images are.
   *
   * @throws RangeError if an option is out of its range, or the encodings do not fit this decoder.
   */
  async generate(text: TextEncoding, options: GenerateOptions = {}): Promise<Int32Array[]> {
    if (this.disposed) throw new Error('generate: this decoder was disposed of; make another one');
    const { gridSize, vocabularySize } = this;
    const { unconditional, signal, onProgress } = options;
    const { seed = 0, temperature = 1, topP = 1, guidanceScale = 1 } = options;
    checkSampling(options);
    const guided = isGuided(options);
    if (guided && !unconditional)
      throw new RangeError('guidance needs options.unconditional, the encoding of the empty caption');
    this.checkEncoding('text', text);
    if (guided) {
      this.checkEncoding('options.unconditional', unconditional!);
      if (unconditional!.batch !== 1)
        throw new RangeError(`options.unconditional must be one caption, not ${unconditional!.batch}`);
    }
    signal?.throwIfAborted();

    const images = text.batch;
    const encodings = guided ? [text, ...Array<TextEncoding>(images).fill(unconditional!)] : [text];
    const { relativePositions = false, textLength = 0 } = this.config;
    const length = relativePositions ? textLength : Math.max(...encodings.map((encoding) => encoding.length));
    const executables = await this.compile(this.shapeOf(images, length, options));
    signal?.throwIfAborted();
    const { hiddenStates, attentionMask } = joined(encodings, length);
    const memory = await executables.text.run({ hiddenStates });
    const fixed: Record<string, TensorData> = {
      ...memory,
      textMask: attentionMask,
      temperature: scalar(temperature === 0 ? 1 : aboveZero(temperature)),
      topK: { dtype: 'int32', shape: [], data: Int32Array.of(keptTokens(options, vocabularySize)) },
      topP: scalar(aboveZero(topP)),
      ...(guided ? { guidanceScale: scalar(guidanceScale) } : {}),
    };
    const randoms = Array.from({ length: images }, (_, i) => createRandom(seed, i));
    const grids = Array.from({ length: images }, () => new Int32Array(gridSize ** 2));
    let token: TensorData = {
      dtype: 'int32',
      shape: [images],
      data: new Int32Array(images).fill(beginToken(this.config)),
    };
    const held = await executables.row.hold(fixed);
    try {
      for (let row = 0; row < gridSize; row++) {
        signal?.throwIfAborted();
        const uniforms = new Float32Array(gridSize * images);
        for (const [i, random] of randoms.entries()) {
          for (let column = 0; column < gridSize; column++) uniforms[column * images + i] = sampleUniform(random);
        }
        const written = await held.run({
          token,
          row: { dtype: 'int32', shape: [], data: Int32Array.of(row) },
          uniforms: { dtype: 'float32', shape: [gridSize, images], data: uniforms },
        });
        token = written.token!;
        for (const [i, grid] of grids.entries()) {
          const tokens = written.tokens!.data.subarray(i * gridSize, (i + 1) * gridSize) as Int32Array;
          grid.set(tokens, row * gridSize);
        }
        await onProgress?.({
          row: row + 1,
          rows: gridSize,
          tokens: grids.map((grid) => grid.slice(0, (row + 1) * gridSize)),
        });
      }
    } finally {
      await held.release();
    }
    return grids;
  }

  /**
   * Compiles what `generate` needs for so many captions with these options, so that it need not: it can be done while other things
   * are loaded.
   *
   * @throws RangeError if an option is out of its range, or `images` is not a whole number of 1 or more.
   */
  async prepare(images: number, options: SamplingOptions = {}): Promise<void> {
    if (this.disposed) throw new Error('prepare: this decoder was disposed of; make another one');
    if (!Number.isSafeInteger(images) || images < 1)
      throw new RangeError(`images must be a whole number from 1 up, not ${images}`);
    checkSampling(options);
    await this.compile(this.shapeOf(images, this.config.textLength ?? 1, options));
  }

  private shapeOf(images: number, length: number, options: SamplingOptions): RowShape {
    const { config, vocabularySize } = this;
    const textLength = config.relativePositions ? length : Math.ceil(length / textLengths) * textLengths;
    const kept = keptTokens(options, vocabularySize);
    const candidates = kept <= fewCandidates ? Math.min(fewCandidates, vocabularySize) : vocabularySize;
    return { images, guided: isGuided(options), textLength, candidates };
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    const all = await Promise.allSettled(this.compiled.values());
    this.compiled.clear();
    const executables = all.flatMap((result) => (result.status === 'fulfilled' ? Object.values(result.value) : []));
    await Promise.all(executables.map((executable) => executable.dispose()));
  }

  private compile(shape: RowShape): Promise<Executables> {
    const key = Object.values(shape).join(' ');
    let executables = this.compiled.get(key);
    if (!executables) {
      executables = this.compileGraphs(shape);
      this.compiled.set(key, executables);
      executables.catch(() => this.compiled.delete(key));
    }
    return executables;
  }

  private async compileGraphs(shape: RowShape): Promise<Executables> {
    const { config, parameters, runtime } = this;
    // Turns of the event loop: to build a graph and to hand it over took 30 ms together, where neither had been done before.
    const graph = rowGraph(config, shape);
    await nextTurn();
    // The larger one first: where a runtime opens two at once, what it opens before these is done sooner than this one.
    const row = runtime.compile(graph, { parameters });
    const text = nextTurn().then(() => runtime.compile(textGraph(config, shape), { parameters }));
    const results = await Promise.allSettled([text, row]);
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) return { text: await text, row: await row };
    for (const result of results) if (result.status === 'fulfilled') await result.value.dispose();
    throw failed.reason;
  }

  private checkEncoding(name: string, { batch, length, hiddenSize, hiddenStates, attentionMask }: TextEncoding): void {
    if (hiddenSize !== this.config.textWidth) {
      throw new RangeError(
        `the decoder reads hidden states of width ${this.config.textWidth}, and those of ${name} are ${hiddenSize} wide: it belongs to another text encoder`,
      );
    }
    const { relativePositions = false, textLength } = this.config;
    if (relativePositions && length > textLength!)
      throw new RangeError(`${name} has captions of ${length} tokens; this decoder has positions for ${textLength}`);
    if (batch < 1 || length < 1)
      throw new RangeError(`${name} has ${batch} captions of ${length} tokens; give it one caption at least`);
    if (hiddenStates.length !== batch * length * hiddenSize || attentionMask.length !== batch * length) {
      throw new RangeError(
        `${name}, of shape [${batch}, ${length}, ${hiddenSize}], has ${hiddenStates.length} numbers and a mask of ${attentionMask.length}`,
      );
    }
  }
}

/**
 * Tokens are drawn among as many, if topK allows it, and among all otherwise: two graphs, of which most uses need one.
 */
const fewCandidates = 512;

/** What is compiled reads captions of up to as many tokens, or of a multiple of it. */
const textLengths = 64;

type Sampling = Required<SamplingOptions>;

const samplingRanges: { readonly [Name in keyof Sampling]: readonly [range: string, allows: (x: number) => boolean] } =
  {
    seed: ['a whole number', Number.isSafeInteger],
    temperature: ['a finite number from 0 up', (x) => x >= 0 && Number.isFinite(x)],
    topK: ['a whole number from 1 up', (x) => Number.isSafeInteger(x) && x >= 1],
    topP: ['a number above 0 and at most 1', (x) => x > 0 && x <= 1],
    guidanceScale: ['a number from 0 up that float32 can hold', (x) => x >= 0 && Number.isFinite(Math.fround(x))],
  };

const isGuided = ({ guidanceScale = 1 }: SamplingOptions): boolean => guidanceScale !== 1;

/** How many of the likeliest tokens may be drawn. */
const keptTokens = ({ temperature = 1, topK = Number.POSITIVE_INFINITY }: SamplingOptions, vocabularySize: number) =>
  temperature === 0 ? 1 : Math.min(topK, vocabularySize);

/** Refuses options of sampling that are out of their ranges, by name. */
function checkSampling(sampling: SamplingOptions): void {
  for (const [name, [range, allows]] of Object.entries(samplingRanges)) {
    const value = sampling[name as keyof Sampling];
    if (value !== undefined && !allows(value)) throw new RangeError(`${name} must be ${range}, not ${value}`);
  }
}

/** The smallest normal float32 in place of smaller numbers, which would be rounded to 0. */
const aboveZero = (value: number): number => Math.max(value, 2 ** -126);

const scalar = (value: number): TensorData => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

/** Captions of several encodings as one batch, all padded to a length. */
function joined(
  encodings: readonly TextEncoding[],
  length: number,
): Record<'hiddenStates' | 'attentionMask', TensorData> {
  const batch = encodings.reduce((sum, encoding) => sum + encoding.batch, 0);
  const { hiddenSize } = encodings[0]!;
  const hiddenStates = new Float32Array(batch * length * hiddenSize);
  const attentionMask = new Int32Array(batch * length);
  let sequence = 0;
  for (const encoding of encodings) {
    for (let i = 0; i < encoding.batch; i++, sequence++) {
      const [start, end] = [i * encoding.length, (i + 1) * encoding.length];
      hiddenStates.set(
        encoding.hiddenStates.subarray(start * hiddenSize, end * hiddenSize),
        sequence * length * hiddenSize,
      );
      attentionMask.set(encoding.attentionMask.subarray(start, end), sequence * length);
    }
  }
  return {
    hiddenStates: { dtype: 'float32', shape: [batch, length, hiddenSize], data: hiddenStates },
    attentionMask: { dtype: 'int32', shape: [batch, length], data: attentionMask },
  };
}
