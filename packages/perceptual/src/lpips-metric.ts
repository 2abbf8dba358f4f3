import {
  abortSignal,
  checkImage,
  DisposedError,
  nextTurn,
  OptionError,
  object,
  optional,
  type RgbImage,
  readOptions,
} from '@dalle-mini/core';
import { type Executable, type RuntimeOwnership, runtimeOwnershipFields } from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { comparisonGraph } from './lpips.js';
import type { PerceptualNetwork } from './networks.js';

export interface CompareOptions {
  /** Cancels between batches: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How alike pairs of images look. */
export interface Comparison {
  /** The LPIPS distance of each pair. */
  readonly distances: Float32Array;
  /** The features of the first image of each pair, as {@link perceptualFeatures} computes them. */
  readonly featuresA: readonly Float32Array[];
  /** The features of the second image of each pair. */
  readonly featuresB: readonly Float32Array[];
}

const makeFields = object(runtimeOwnershipFields);
const compareFields = object<CompareOptions>({ signal: optional(abortSignal()) });

/** Returns the number of pairs per run, which bounds memory: VGG16 needs 100 MB for two images of 256 × 256 pixels. */
const batchSize = ({ width, height }: RgbImage) => Math.max(1, Math.min(8, Math.floor(2 ** 16 / (width * height))));

/** LPIPS with its weights, on a runtime. It is compiled on first use, for each size of images. */
export class LpipsMetric {
  private readonly options: RuntimeOwnership;
  private readonly compiled = new Map<string, Promise<Executable>>();
  private disposed = false;

  /**
   * @param parameters From `importPerceptual`.
   * @throws OptionError if an option is wrong.
   */
  constructor(
    readonly network: PerceptualNetwork,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    options: RuntimeOwnership,
  ) {
    this.options = readOptions(makeFields, options, 'new LpipsMetric');
  }

  /**
   * Compares images pair by pair. The images of a pair have the same size; other pairs may have another.
   *
   * @throws OptionError if an image is not RGB, or the images do not pair; GraphError if they are too small: 16 pixels for VGG16, 31
   *   for AlexNet; the signal's reason if it aborts.
   */
  async compare(a: readonly RgbImage[], b: readonly RgbImage[], options: CompareOptions = {}): Promise<Comparison> {
    const { signal } = readOptions(compareFields, options, 'compare');
    if (a.length !== b.length) throw new OptionError('b', `a list of ${a.length} images, as a`, b);
    for (const [i, image] of a.entries()) checkPair(image, b[i]!, i);
    const distances = new Float32Array(a.length);
    const [featuresA, featuresB]: Float32Array[][] = [[], []];
    for (let start = 0; start < a.length; ) {
      signal?.throwIfAborted();
      const end = start + lengthOfBatch(a.slice(start));
      const outputs = await this.run(a.slice(start, end), b.slice(start, end));
      distances.set(outputs.distances!.data, start);
      featuresA!.push(...rowsOf(outputs.featuresA!.data as Float32Array, end - start));
      featuresB!.push(...rowsOf(outputs.featuresB!.data as Float32Array, end - start));
      start = end;
    }
    signal?.throwIfAborted();
    return { distances, featuresA: featuresA!, featuresB: featuresB! };
  }

  /** Frees the model, and its runtime if it owns it. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const results = await Promise.allSettled(this.compiled.values());
    this.compiled.clear();
    await Promise.all(results.map((result) => result.status === 'fulfilled' && result.value.dispose()));
    if (this.options.ownsRuntime) await this.options.runtime.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private async run(a: readonly RgbImage[], b: readonly RgbImage[]) {
    const { width, height } = a[0]!;
    const shape = [a.length, 3, height, width];
    const compare = await this.compile(shape);
    const values = (images: readonly RgbImage[]) => ({ dtype: 'float32', shape, data: pixelsOf(images) }) as const;
    return compare.run({ a: values(a), b: values(b) });
  }

  private compile(shape: readonly number[]): Promise<Executable> {
    if (this.disposed)
      throw new DisposedError('This LpipsMetric was disposed of. Create another one to compare images.');
    const key = shape.join();
    let executable = this.compiled.get(key);
    if (!executable) {
      executable = this.compileGraph(shape);
      this.compiled.set(key, executable);
      executable.catch(() => this.compiled.delete(key));
    }
    return executable;
  }

  private async compileGraph(shape: readonly number[]): Promise<Executable> {
    const graph = comparisonGraph(this.network, shape);
    // Building a graph and sending it to the runtime take some milliseconds each: let the event loop run in between.
    await nextTurn();
    return this.options.runtime.compile(graph, { parameters: this.parameters });
  }
}

function checkPair(a: RgbImage, b: RgbImage, index: number): void {
  checkImage(a, `a[${index}]`);
  checkImage(b, `b[${index}]`);
  if (a.width !== b.width || a.height !== b.height)
    throw new OptionError(
      `b[${index}]`,
      `an image of ${a.width} × ${a.height} pixels, as a[${index}]`,
      `${b.width} × ${b.height}`,
    );
}

/** Returns how many of the first images have the same size, at most a batch. */
function lengthOfBatch(images: readonly RgbImage[]): number {
  const [{ width, height }] = images as readonly [RgbImage];
  const other = images.findIndex((image) => image.width !== width || image.height !== height);
  return Math.min(other < 0 ? images.length : other, batchSize(images[0]!));
}

/** Converts images of one size to `[batch, 3, height, width]` in [−1, 1]. */
function pixelsOf(images: readonly RgbImage[]): Float32Array {
  const plane = images[0]!.width * images[0]!.height;
  const values = new Float32Array(images.length * 3 * plane);
  for (const [i, { data }] of images.entries()) {
    for (let channel = 0; channel < 3; channel++) {
      const start = (3 * i + channel) * plane;
      for (let pixel = 0; pixel < plane; pixel++) values[start + pixel] = data[3 * pixel + channel]! / 127.5 - 1;
    }
  }
  return values;
}

function rowsOf(data: Float32Array, count: number): Float32Array[] {
  const width = data.length / count;
  return Array.from({ length: count }, (_, i) => data.slice(i * width, (i + 1) * width));
}
