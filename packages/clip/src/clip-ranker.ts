import type { RgbImage } from '@dalle-mini/core';
import { type Executable, type Graph, input, ParameterScope, type Runtime, reshape } from '@dalle-mini/graph';
import type { StoredTensor } from '@dalle-mini/weights';
import type { HuggingFaceModel } from '@dalle-mini/weights/node';
import { clipImageEmbeddings, clipSimilarities, clipTextEmbeddings } from './clip.js';
import { type ClipConfig, checkClipConfig, parseClipConfig } from './config.js';
import { writeClipPixels } from './pixels.js';
import { type ClipTokenizer, clipTokenizerJson, loadClipTokenizer } from './tokenizer.js';
import { clipWeights } from './weights.js';

/** The files of a CLIP, read. */
export interface ClipFiles {
  /** What `parseClipConfig` reads from `config.json`, or one of `clipPresets`. */
  readonly config: ClipConfig;
  /** The parsed `tokenizer.json`, or what `clipTokenizerJson` makes of `vocab.json` and `merges.txt`. */
  readonly tokenizer: object;
  /** The tensors of the checkpoint, in Hugging Face's layout or in OpenAI's; in any floating-point type or in 8 bits with scales. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
}

export interface ClipRankerOptions {
  /** What computes the model. It is not disposed of with the ranker: several models may share it. */
  readonly runtime: Runtime;
  /** Number of images computed at once. Default 4. */
  readonly batchSize?: number;
}

/** Options of work that may take long. */
export interface RankOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Judges by CLIP how well images show what a caption says. It is an `ImageRanker` of `@dalle-mini/pipeline`. */
export class ClipRanker {
  private constructor(
    private readonly config: ClipConfig,
    private readonly batchSize: number,
    private readonly tokenizer: ClipTokenizer,
    private readonly embedCaption: Executable,
    private readonly scoreImages: Executable,
  ) {}

  /**
   * Compiles a model from the files of a Hugging Face repository, such as openai/clip-vit-base-patch32, as
   * `readHuggingFaceFolder` of `@dalle-mini/weights/node` reads them.
   * @throws TypeError if `config.json` is not that of a CLIP; and as {@link fromFiles}.
   */
  static async fromHuggingFace(model: HuggingFaceModel, options: ClipRankerOptions): Promise<ClipRanker> {
    const { config, tokenizer, weights } = model;
    const { vocab, merges } = tokenizer as { vocab: Record<string, number>; merges?: string };
    const json = merges === undefined ? tokenizer : clipTokenizerJson(vocab, merges);
    return ClipRanker.fromFiles({ config: parseClipConfig(config), tokenizer: json, weights }, options);
  }

  /**
   * Compiles a model from its files.
   * @throws RangeError if the configuration or `batchSize` is not sound; CheckpointError if a weight is missing or has another shape;
   * Error if the tokenizer is none of CLIP's, or has more tokens than the model.
   */
  static async fromFiles(files: ClipFiles, options: ClipRankerOptions): Promise<ClipRanker> {
    const { config } = files;
    const { runtime, batchSize = 4 } = options;
    checkClipConfig(config);
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new RangeError(`batchSize is ${batchSize}; it must be a whole number of 1 or more.`);
    }
    const tokenizer = loadClipTokenizer(files.tokenizer);
    if (tokenizer.endToken >= config.vocabularySize) {
      throw new Error(
        `The tokenizer has ids up to ${tokenizer.endToken}, and the model a vocabulary of ${config.vocabularySize}; ` +
          'give the tokenizer that belongs to the model.',
      );
    }
    const parameters = clipWeights(files.weights, config);
    const embedCaption = await runtime.compile(captionGraph(config), { parameters });
    try {
      const scoreImages = await runtime.compile(scoreGraph(config, batchSize), { parameters });
      return new ClipRanker(config, batchSize, tokenizer, embedCaption, scoreImages);
    } catch (error) {
      await embedCaption.dispose();
      throw error;
    }
  }

  /**
   * Scores images of any size by exp(logit_scale) · cosine, one number each: the higher, the better the image fits the prompt. Tokens
   * of the prompt past the model's `maxLength`, 77, are not read.
   * @throws RangeError if an image has no pixels, or not three bytes for each.
   */
  async rank(prompt: string, images: readonly RgbImage[], options: RankOptions = {}): Promise<Float32Array> {
    const { batchSize } = this;
    const { imageSize, maxLength } = this.config;
    const ids = this.tokenizer.encode([prompt], maxLength);
    options.signal?.throwIfAborted();
    const { caption } = await this.embedCaption.run({ ids: { dtype: 'int32', shape: [1, maxLength], data: ids } });
    const scores = new Float32Array(images.length);
    const size = 3 * imageSize * imageSize;
    for (let start = 0; start < images.length; start += batchSize) {
      options.signal?.throwIfAborted();
      const batch = images.slice(start, start + batchSize);
      // A full batch always; the rows that are left over are grey.
      const data = new Float32Array(batchSize * size);
      for (const [i, image] of batch.entries()) writeClipPixels(image, imageSize, data, i * size);
      const pixels = { dtype: 'float32', shape: [batchSize, 3, imageSize, imageSize], data } as const;
      const outputs = await this.scoreImages.run({ images: pixels, caption: caption! });
      scores.set(outputs.scores!.data.subarray(0, batch.length), start);
    }
    options.signal?.throwIfAborted();
    return scores;
  }

  /** Frees the model; its runtime stays the caller's. */
  async dispose(): Promise<void> {
    await Promise.all([this.embedCaption.dispose(), this.scoreImages.dispose()]);
  }
}

/** A caption's `ids`, int32 `[1, maxLength]`, to its embedding, `caption` `[1, projectionSize]`, as a graph. */
export function captionGraph(config: ClipConfig): Graph {
  const ids = input('ids', [1, config.maxLength], 'int32');
  return { inputs: { ids }, outputs: { caption: clipTextEmbeddings(new ParameterScope(), config, ids) } };
}

/**
 * `images` `[batchSize, 3, imageSize, imageSize]`, as `writeClipPixels` writes them, and what {@link captionGraph} makes of a caption,
 * to `scores` `[batchSize]`, as a graph.
 */
export function scoreGraph(config: ClipConfig, batchSize: number): Graph {
  const scope = new ParameterScope();
  const images = input('images', [batchSize, 3, config.imageSize, config.imageSize]);
  const caption = input('caption', [1, config.projectionSize]);
  const similarities = clipSimilarities(scope, caption, clipImageEmbeddings(scope, config, images));
  return { inputs: { images, caption }, outputs: { scores: reshape(similarities, [batchSize]) } };
}
