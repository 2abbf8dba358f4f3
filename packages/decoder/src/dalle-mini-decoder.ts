import { createRandom, type Executable, type Runtime, sampleUniform, type TensorData } from '@dalle-mini/graph';
import type { TextEncoding } from '@dalle-mini/text-encoder';
import { checkDecoderConfig, type DecoderConfig } from './config.js';
import { emptyState, type RowShape, rowGraph, textGraph } from './decoding.js';
import type { GenerateOptions, ImageTokenDecoder } from './image-token-decoder.js';

/** DALL·E Mini's decoder with its weights, on a runtime. It is compiled for each number of images at its first use. */
export class DalleMiniDecoder implements ImageTokenDecoder {
  readonly gridSize: number;
  readonly vocabularySize: number;
  private readonly compiled = new Map<string, Promise<{ text: Executable; row: Executable }>>();

  /**
   * @param parameters named as in kuprel/min-dalle. Parameters that it does not need are left alone.
   * @param runtime the caller's, to be disposed of by the caller.
   * @throws RangeError if the configuration is not sound.
   */
  constructor(
    private readonly config: DecoderConfig,
    private readonly parameters: ReadonlyMap<string, TensorData>,
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
    const { gridSize } = this;
    const { seed = 0, topP = 1, guidanceScale = 1, unconditional, signal, onProgress } = options;
    const topK = options.temperature === 0 ? 1 : (options.topK ?? this.vocabularySize);
    const temperature = options.temperature === 0 ? 1 : (options.temperature ?? 1);
    checkSampling({ temperature, topK, topP, guidanceScale });
    const guided = guidanceScale !== 1;
    if (guided && !unconditional)
      throw new RangeError('guidance needs options.unconditional, the encoding of the empty caption');
    for (const encoding of guided ? [text, unconditional!] : [text]) this.checkEncoding(encoding, text.length);
    if (guided && unconditional!.batch !== 1)
      throw new RangeError(`options.unconditional must be one caption, not ${unconditional!.batch}`);
    signal?.throwIfAborted();

    const images = text.batch;
    const shape: RowShape = { images, guided, textLength: text.length };
    const executables = await this.compile(shape);
    const { hiddenStates, attentionMask } = guided ? withUnconditional(text, unconditional!) : text;
    const rows = guided ? 2 * images : images;
    const memory = await executables.text.run({
      hiddenStates: { dtype: 'float32', shape: [rows, text.length, text.hiddenSize], data: hiddenStates },
    });
    const fixed: Record<string, TensorData> = {
      ...memory,
      textMask: { dtype: 'int32', shape: [rows, text.length], data: attentionMask },
      temperature: scalar(temperature),
      topK: { dtype: 'int32', shape: [], data: Int32Array.of(topK) },
      topP: scalar(topP),
      ...(guided ? { guidanceScale: scalar(guidanceScale) } : {}),
    };
    const randoms = Array.from({ length: images }, (_, i) => createRandom(seed, i));
    const grids = Array.from({ length: images }, () => new Int32Array(gridSize ** 2));
    let state: Record<string, TensorData> = emptyState(this.config, shape);
    for (let row = 0; row < gridSize; row++) {
      signal?.throwIfAborted();
      const uniforms = new Float32Array(gridSize * images);
      for (const [i, random] of randoms.entries()) {
        for (let column = 0; column < gridSize; column++) uniforms[column * images + i] = sampleUniform(random);
      }
      const { tokens, ...next } = await executables.row.run({
        ...fixed,
        ...state,
        position: { dtype: 'int32', shape: [], data: Int32Array.of(row * gridSize) },
        uniforms: { dtype: 'float32', shape: [gridSize, images], data: uniforms },
      });
      state = next;
      for (const [i, grid] of grids.entries()) {
        grid.set(tokens!.data.subarray(i * gridSize, (i + 1) * gridSize) as Int32Array, row * gridSize);
      }
      onProgress?.({ row: row + 1, rows: gridSize, tokens: grids.map((grid) => grid.slice(0, (row + 1) * gridSize)) });
    }
    return grids;
  }

  async dispose(): Promise<void> {
    const all = await Promise.all(this.compiled.values());
    this.compiled.clear();
    await Promise.all(all.flatMap(({ text, row }) => [text.dispose(), row.dispose()]));
  }

  private compile(shape: RowShape): Promise<{ text: Executable; row: Executable }> {
    const key = `${shape.images} ${shape.guided} ${shape.textLength}`;
    let executables = this.compiled.get(key);
    if (!executables) {
      const compile = (graph: ReturnType<typeof textGraph>) =>
        this.runtime.compile(graph, { parameters: this.parameters });
      executables = Promise.all([compile(textGraph(this.config, shape)), compile(rowGraph(this.config, shape))]).then(
        ([text, row]) => ({ text, row }),
      );
      this.compiled.set(key, executables);
    }
    return executables;
  }

  private checkEncoding(
    { batch, length, hiddenSize, hiddenStates, attentionMask }: TextEncoding,
    wantedLength: number,
  ): void {
    if (hiddenSize !== this.config.textWidth) {
      throw new RangeError(
        `the decoder reads hidden states of width ${this.config.textWidth}, and these are ${hiddenSize} wide: it belongs to another text encoder`,
      );
    }
    if (length !== wantedLength)
      throw new RangeError(`captions of ${wantedLength} and ${length} tokens cannot be mixed: pad them to one length`);
    if (batch < 1 || hiddenStates.length !== batch * length * hiddenSize || attentionMask.length !== batch * length) {
      throw new RangeError(
        `a text encoding of [${batch}, ${length}, ${hiddenSize}] has ${hiddenStates.length} numbers and a mask of ${attentionMask.length}`,
      );
    }
  }
}

/** Refuses options of sampling that are out of their ranges, by name. */
function checkSampling({
  temperature,
  topK,
  topP,
  guidanceScale,
}: {
  temperature: number;
  topK: number;
  topP: number;
  guidanceScale: number;
}): void {
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY))
    throw new RangeError(`temperature must be a number from 0 up, not ${temperature}`);
  if (!(Number.isSafeInteger(topK) && topK >= 1))
    throw new RangeError(`topK must be a whole number from 1 up, not ${topK}`);
  if (!(topP > 0 && topP <= 1)) throw new RangeError(`topP must be a number above 0 and at most 1, not ${topP}`);
  if (!Number.isFinite(guidanceScale)) throw new RangeError(`guidanceScale must be a number, not ${guidanceScale}`);
}

const scalar = (value: number): TensorData => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

/** The captions, and after them as many copies of the unconditional one. */
function withUnconditional(
  text: TextEncoding,
  unconditional: TextEncoding,
): Pick<TextEncoding, 'hiddenStates' | 'attentionMask'> {
  const hiddenStates = new Float32Array(2 * text.hiddenStates.length);
  const attentionMask = new Int32Array(2 * text.attentionMask.length);
  hiddenStates.set(text.hiddenStates);
  attentionMask.set(text.attentionMask);
  for (let i = text.batch; i < 2 * text.batch; i++) {
    hiddenStates.set(unconditional.hiddenStates, i * unconditional.hiddenStates.length);
    attentionMask.set(unconditional.attentionMask, i * unconditional.attentionMask.length);
  }
  return { hiddenStates, attentionMask };
}
