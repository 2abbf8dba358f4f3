import {
  abortSignal,
  ConfigError,
  checkImage,
  DisposedError,
  type ImageDecodeOptions,
  type ImageEncodeOptions,
  type ImageTokenizer,
  integer,
  nextTurn,
  OptionError,
  object,
  optional,
  type RgbImage,
  readOptions,
} from '@dalle-mini/core';
import { type Executable, type RuntimeOwnership, runtimeOwnershipFields, type Shape } from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { checkVqganConfig, gridSizeOf, type VqganConfig } from './config.js';
import { writePixels } from './pixels.js';
import { decodeGraph, encodeGraph } from './vqgan.js';

/**
 * Returns the number of images per run. Larger batches are split into runs, so that memory stays bounded and a signal can cancel. At
 * 256 × 256 pixels and above it is one: two images at once were not faster, and each batch size is compiled with its own copy of the weights.
 */
const batchSize = (resolution: number) => Math.max(1, Math.min(8, Math.floor(2 ** 16 / resolution ** 2)));

export type VqganTokenizerOptions = RuntimeOwnership;

const makeFields = object(runtimeOwnershipFields);
const signal = optional(abortSignal());
const encodeFields = object<ImageEncodeOptions>({ signal });
const decodeFields = object<ImageDecodeOptions>({ signal, columns: optional(integer({ min: 1 })) });

/** A VQ-GAN with its weights, on a runtime. Encoder and decoder are compiled on first use. */
export class VqganTokenizer implements ImageTokenizer {
  readonly imageSize: number;
  readonly gridSize: number;
  readonly vocabularySize: number;
  private readonly config: VqganConfig;
  private readonly options: VqganTokenizerOptions;
  private readonly compiled = new Map<string, Promise<Executable>>();
  private disposed = false;

  /**
   * @param parameters Named as in Taming's checkpoints. Parameters that the model does not need are ignored.
   * @throws OptionError if an option is wrong; ConfigError if the configuration is not valid, or its images are not RGB.
   */
  constructor(
    config: VqganConfig,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    options: VqganTokenizerOptions,
  ) {
    this.options = readOptions(makeFields, options, 'new VqganTokenizer');
    this.config = checkVqganConfig(config);
    if (config.inChannels !== 3)
      throw new ConfigError('VQ-GAN config', 'inChannels', `must be 3, for RGB images, not ${config.inChannels}.`);
    this.imageSize = config.resolution;
    this.gridSize = gridSizeOf(config);
    this.vocabularySize = config.nEmbed;
  }

  async encode(images: readonly RgbImage[], options: ImageEncodeOptions = {}): Promise<Int32Array[]> {
    readOptions(encodeFields, options, 'encode');
    const size = this.imageSize;
    for (const [i, image] of images.entries()) {
      checkImage(image, `images[${i}]`);
      const { width, height } = image;
      if (width !== size || height !== size)
        throw new OptionError(
          `images[${i}]`,
          `${size} × ${size} pixels`,
          image,
          `images[${i}] must have ${size} × ${size} pixels, the size of this model, not ${width} × ${height}. Resize it first.`,
        );
    }
    return this.inBatches(images, options, async (batch) => {
      const shape = [batch.length, 3, size, size];
      const values = new Float32Array(batch.length * 3 * size * size);
      for (const [i, image] of batch.entries()) writePixels(image, values, i * 3 * size * size, this.config.pixelRange);
      const encode = await this.compile('encode', shape);
      const { tokens } = await encode.run({ images: { dtype: 'float32', shape, data: values } });
      return cut(tokens!.data as Int32Array, batch.length);
    });
  }

  async decode(grids: readonly Int32Array[], options: ImageDecodeOptions = {}): Promise<RgbImage[]> {
    readOptions(decodeFields, options, 'decode');
    const length = this.gridSize ** 2;
    for (const [i, grid] of grids.entries()) {
      if (grid.length !== length)
        throw new OptionError(
          `grids[${i}].length`,
          `${length}: ${this.gridSize} × ${this.gridSize} tokens`,
          grid.length,
        );
      const wrong = grid.findIndex((token) => token < 0 || token >= this.vocabularySize);
      if (wrong >= 0)
        throw new OptionError(`grids[${i}][${wrong}]`, `a token from 0 to ${this.vocabularySize - 1}`, grid[wrong]);
    }
    if (options.columns !== undefined) return this.decodeTogether(grids, options.columns, options);
    const size = this.imageSize;
    return this.inBatches(grids, options, async (batch) => {
      const tokens = new Int32Array(batch.length * length);
      for (const [i, grid] of batch.entries()) tokens.set(grid, i * length);
      const shape = [batch.length, length];
      const decode = await this.compile('decode', shape);
      const { images } = await decode.run({ tokens: { dtype: 'int32', shape, data: tokens } });
      return batch.map((_, i) => toRgb(images!.data as Float32Array, i, { width: size, height: size }, this.config));
    });
  }

  /** Decodes all grids as one image, and splits it into images. */
  private async decodeTogether(
    grids: readonly Int32Array[],
    columns: number,
    { signal }: ImageEncodeOptions,
  ): Promise<RgbImage[]> {
    if (grids.length === 0 || grids.length % columns !== 0)
      throw new OptionError('columns', `a divisor of the number of grids, ${grids.length}`, columns);
    const { gridSize, imageSize } = this;
    const rows = grids.length / columns;
    const shape = [1, rows * gridSize, columns * gridSize];
    const tokens = new Int32Array(grids.length * gridSize ** 2);
    for (const [i, grid] of grids.entries()) {
      const start = Math.floor(i / columns) * gridSize * columns * gridSize + (i % columns) * gridSize;
      for (let row = 0; row < gridSize; row++) {
        tokens.set(grid.subarray(row * gridSize, (row + 1) * gridSize), start + row * columns * gridSize);
      }
    }
    signal?.throwIfAborted();
    const decode = await this.compile('decode', shape);
    const { images } = await decode.run({ tokens: { dtype: 'int32', shape, data: tokens } });
    signal?.throwIfAborted();
    const size = { width: columns * imageSize, height: rows * imageSize };
    const picture = toRgb(images!.data as Float32Array, 0, size, this.config);
    return grids.map((_, i) => {
      const data = new Uint8ClampedArray(3 * imageSize ** 2);
      const start = Math.floor(i / columns) * imageSize * size.width + (i % columns) * imageSize;
      for (let y = 0; y < imageSize; y++) {
        const line = 3 * (start + y * size.width);
        data.set(picture.data.subarray(line, line + 3 * imageSize), 3 * y * imageSize);
      }
      return { width: imageSize, height: imageSize, data };
    });
  }

  /** Frees the model, and its runtime if it owns it. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const results = await Promise.allSettled(this.compiled.values());
    this.compiled.clear();
    const executables = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await Promise.all(executables.map((executable) => executable.dispose()));
    if (this.options.ownsRuntime) await this.options.runtime.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private async inBatches<From, To>(
    items: readonly From[],
    { signal }: ImageEncodeOptions,
    work: (batch: readonly From[]) => Promise<To[]>,
  ): Promise<To[]> {
    const results: To[] = [];
    const size = batchSize(this.imageSize);
    for (let start = 0; start < items.length; start += size) {
      signal?.throwIfAborted();
      results.push(...(await work(items.slice(start, start + size))));
    }
    signal?.throwIfAborted();
    return results;
  }

  /** @param shape Of the images or of the tokens. */
  private compile(kind: 'encode' | 'decode', shape: Shape): Promise<Executable> {
    if (this.disposed) throw new DisposedError(`This VqganTokenizer was disposed of. Create another one to ${kind}.`);
    const key = `${kind} ${shape}`;
    let executable = this.compiled.get(key);
    if (!executable) {
      executable = this.compileGraph(kind, shape);
      this.compiled.set(key, executable);
      executable.catch(() => this.compiled.delete(key));
    }
    return executable;
  }

  private async compileGraph(kind: 'encode' | 'decode', shape: Shape): Promise<Executable> {
    const graph = kind === 'encode' ? encodeGraph(this.config, shape) : decodeGraph(this.config, shape);
    // Building a graph and sending it to the runtime take 10 ms each the first time: let the event loop run in between.
    await nextTurn();
    return this.options.runtime.compile(graph, { parameters: this.parameters });
  }
}

function cut(data: Int32Array, parts: number): Int32Array[] {
  const length = data.length / parts;
  return Array.from({ length: parts }, (_, i) => data.slice(i * length, (i + 1) * length));
}

/** Converts an image of a batch from `pixelRange` to bytes: rounded, and clipped if the decoder overshoots. */
function toRgb(
  values: Float32Array,
  index: number,
  { width, height }: { readonly width: number; readonly height: number },
  { pixelRange: [black, white] = [-1, 1] }: VqganConfig,
): RgbImage {
  const bytesPerUnit = 255 / (white - black);
  const plane = width * height;
  const data = new Uint8ClampedArray(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    const offset = (3 * index + channel) * plane;
    for (let pixel = 0; pixel < plane; pixel++)
      data[3 * pixel + channel] = (values[offset + pixel]! - black) * bytesPerUnit;
  }
  return { width, height, data };
}
