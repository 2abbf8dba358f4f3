import type { ImageDecodeOptions, ImageEncodeOptions, ImageTokenizer, RgbImage } from '@dalle-mini/core';
import { type Executable, nextTurn, type Runtime, type Shape, type StoredParameter } from '@dalle-mini/graph';
import { checkVqganConfig, gridSizeOf, type VqganConfig } from './config.js';
import { writePixels } from './pixels.js';
import { decodeGraph, encodeGraph } from './vqgan.js';

/**
 * Images that one run encodes or decodes; more are cut into runs, so that memory stays bounded and cancelling works. From
 * 256 × 256 pixels on it is one: two at once were no faster, and each number of images is compiled with weights of its own.
 */
const batchSize = (resolution: number) => Math.max(1, Math.min(8, Math.floor(2 ** 16 / resolution ** 2)));

/** A VQ-GAN with its weights, on a runtime. Encoder and decoder are compiled when they are first needed. */
export class VqganTokenizer implements ImageTokenizer {
  readonly imageSize: number;
  readonly gridSize: number;
  readonly vocabularySize: number;
  private readonly compiled = new Map<string, Promise<Executable>>();
  private disposed = false;

  /**
   * @param parameters named as in Taming's checkpoints. Parameters that it does not need are left alone.
   * @param runtime the caller's, to be disposed of by the caller.
   * @throws RangeError if the configuration is not sound, or its images are not RGB.
   */
  constructor(
    private readonly config: VqganConfig,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    private readonly runtime: Runtime,
  ) {
    checkVqganConfig(config);
    checkRgb(config);
    this.imageSize = config.resolution;
    this.gridSize = gridSizeOf(config);
    this.vocabularySize = config.nEmbed;
  }

  async encode(images: readonly RgbImage[], options: ImageEncodeOptions = {}): Promise<Int32Array[]> {
    const size = this.imageSize;
    for (const [i, { width, height, data }] of images.entries()) {
      if (width !== size || height !== size || data.length !== 3 * size * size) {
        throw new RangeError(
          `image ${i} is ${width}×${height} with ${data.length} bytes; this VQ-GAN reads ${size}×${size} RGB: resize it first`,
        );
      }
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
    const length = this.gridSize ** 2;
    for (const [i, grid] of grids.entries()) {
      if (grid.length !== length) {
        throw new RangeError(
          `grid ${i} has ${grid.length} tokens; this VQ-GAN decodes ${this.gridSize}×${this.gridSize} = ${length}`,
        );
      }
      const wrong = grid.find((token) => token < 0 || token >= this.vocabularySize);
      if (wrong !== undefined)
        throw new RangeError(`grid ${i} holds token ${wrong}; tokens are from 0 to ${this.vocabularySize - 1}`);
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

  /** All grids as one, and the picture cut into images again. */
  private async decodeTogether(
    grids: readonly Int32Array[],
    columns: number,
    { signal }: ImageEncodeOptions,
  ): Promise<RgbImage[]> {
    if (!Number.isInteger(columns) || columns < 1 || grids.length === 0 || grids.length % columns !== 0) {
      throw new RangeError(`${grids.length} grids do not fill rows of ${columns}; columns must divide their number`);
    }
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

  async dispose(): Promise<void> {
    this.disposed = true;
    const results = await Promise.allSettled(this.compiled.values());
    this.compiled.clear();
    const executables = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await Promise.all(executables.map((executable) => executable.dispose()));
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

  /** @param shape that of the images or of the tokens. */
  private compile(kind: 'encode' | 'decode', shape: Shape): Promise<Executable> {
    if (this.disposed) throw new Error(`${kind}: this VQ-GAN was disposed of; make another one`);
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
    // A turn of the event loop: to build a graph and to hand it over each take 10 ms at their first time.
    await nextTurn();
    return this.runtime.compile(graph, { parameters: this.parameters });
  }
}

/** Refuses a model of images that are not RGB. */
export function checkRgb({ inChannels }: VqganConfig): void {
  if (inChannels !== 3)
    throw new RangeError(`VQ-GAN config: inChannels must be 3 to tokenize RGB images, not ${inChannels}`);
}

function cut(data: Int32Array, parts: number): Int32Array[] {
  const length = data.length / parts;
  return Array.from({ length: parts }, (_, i) => data.slice(i * length, (i + 1) * length));
}

/** One of a batch of images in `pixelRange`, as bytes: rounded, and clipped where the decoder overshoots. */
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
