import {
  abortSignal,
  ConfigError,
  checkImage,
  DisposedError,
  type ImageRanker,
  implementation,
  integer,
  OptionError,
  object,
  optional,
  type RankOptions,
  type RgbImage,
  readOptions,
} from '@dalle-mini/core';
import {
  type Executable,
  type Graph,
  input,
  ParameterScope,
  type RuntimeOwnership,
  reshape,
  runtimeOwnershipFields,
} from '@dalle-mini/graph';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { clipText } from '@dalle-mini/text-encoder/clip';
import { clipImageEmbeddings, clipSimilarities } from './clip.js';
import { type ClipConfig, checkClipConfig } from './config.js';
import { writeClipPixels } from './pixels.js';
import type { ClipTokenizer } from './tokenizer.js';

export interface ClipRankerOptions extends RuntimeOwnership {
  /** The tokenizer, from `loadClipTokenizer`. */
  readonly tokenizer: ClipTokenizer;
  /** Number of images computed at once. Default 4. */
  readonly batchSize?: number | undefined;
}

export const batchSizeField = optional(integer({ min: 1, max: 1024 }), 4);
const makeFields = object<ClipRankerOptions & { readonly batchSize: number }>({
  ...runtimeOwnershipFields,
  tokenizer: implementation('a tokenizer', ['encode']),
  batchSize: batchSizeField,
});
const rankFields = object<RankOptions>({ signal: optional(abortSignal()) });

interface Compiled {
  readonly embedCaption: Executable;
  readonly scoreImages: Executable;
}

/** Scores with CLIP how well images match a prompt. The model is compiled on first use. */
export class ClipRanker implements ImageRanker {
  private readonly config: ClipConfig;
  private readonly options: ClipRankerOptions & { readonly batchSize: number };
  private compiled: Promise<Compiled> | undefined;
  private disposed = false;

  /**
   * @param parameters The parameters, from `importClip`.
   * @throws OptionError if an option is wrong; ConfigError if the configuration is not valid, or the tokenizer has more tokens than it.
   */
  constructor(
    config: ClipConfig,
    private readonly parameters: ReadonlyMap<string, StoredParameter>,
    options: ClipRankerOptions,
  ) {
    this.config = checkClipConfig(config);
    this.options = readOptions(makeFields, options, 'new ClipRanker');
    const { endToken } = this.options.tokenizer;
    if (endToken >= config.vocabularySize)
      throw new ConfigError(
        'CLIP config',
        'vocabularySize',
        `must be more than ${endToken}, the largest id of the tokenizer, not ${config.vocabularySize}. Use the tokenizer of the model.`,
      );
  }

  /**
   * Scores images of any size by exp(logit_scale) · cosine, one number each: the higher, the better the image matches the prompt.
   * Tokens of the prompt past the model's `maxLength`, 77, are ignored.
   * @throws OptionError if an image is not RGB; the signal's reason if it aborts.
   */
  async rank(prompt: string, images: readonly RgbImage[], options: RankOptions = {}): Promise<Float32Array> {
    const { signal } = readOptions(rankFields, options, 'rank');
    if (typeof prompt !== 'string') throw new OptionError('prompt', 'a string', prompt);
    for (const [i, image] of images.entries()) checkImage(image, `images[${i}]`);
    const { batchSize, tokenizer } = this.options;
    const { imageSize, maxLength } = this.config;
    const ids = tokenizer.encode([prompt], maxLength);
    signal?.throwIfAborted();
    const { embedCaption, scoreImages } = await this.compile();
    signal?.throwIfAborted();
    const { caption } = await embedCaption.run({ ids: { dtype: 'int32', shape: [1, maxLength], data: ids } });
    const scores = new Float32Array(images.length);
    const size = 3 * imageSize * imageSize;
    for (let start = 0; start < images.length; start += batchSize) {
      signal?.throwIfAborted();
      const batch = images.slice(start, start + batchSize);
      // Always a full batch; the unused rows are gray.
      const data = new Float32Array(batchSize * size);
      for (const [i, image] of batch.entries()) writeClipPixels(image, imageSize, data, i * size);
      const pixels = { dtype: 'float32', shape: [batchSize, 3, imageSize, imageSize], data } as const;
      const outputs = await scoreImages.run({ images: pixels, caption: caption! });
      scores.set(outputs.scores!.data.subarray(0, batch.length), start);
    }
    signal?.throwIfAborted();
    return scores;
  }

  /** Frees the model, and its runtime if it owns it. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const compiled = await this.compiled?.catch(() => undefined);
    this.compiled = undefined;
    await Promise.all([compiled?.embedCaption.dispose(), compiled?.scoreImages.dispose()]);
    if (this.options.ownsRuntime) await this.options.runtime.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private compile(): Promise<Compiled> {
    if (this.disposed) throw new DisposedError('This ClipRanker was disposed of. Create another one to rank images.');
    if (!this.compiled) {
      this.compiled = this.compileGraphs();
      // The next call tries again.
      this.compiled.catch(() => {
        this.compiled = undefined;
      });
    }
    return this.compiled;
  }

  private async compileGraphs(): Promise<Compiled> {
    const { config, parameters } = this;
    const { runtime, batchSize } = this.options;
    const embedCaption = await runtime.compile(captionGraph(config), { parameters });
    try {
      return { embedCaption, scoreImages: await runtime.compile(scoreGraph(config, batchSize), { parameters }) };
    } catch (error) {
      await embedCaption.dispose();
      throw error;
    }
  }
}

/** Builds the graph of a caption's `ids`, int32 `[1, maxLength]`, to its embedding, `caption` `[1, projectionSize]`. */
export function captionGraph(config: ClipConfig): Graph {
  const ids = input('ids', [1, config.maxLength], 'int32');
  return { inputs: { ids }, outputs: { caption: clipText(new ParameterScope(), config, ids).pooled } };
}

/**
 * Builds the graph of `images` `[batchSize, 3, imageSize, imageSize]`, as `writeClipPixels` writes them, and the `caption` of
 * {@link captionGraph}, to `scores` `[batchSize]`.
 */
export function scoreGraph(config: ClipConfig, batchSize: number): Graph {
  const scope = new ParameterScope();
  const images = input('images', [batchSize, 3, config.imageSize, config.imageSize]);
  const caption = input('caption', [1, config.projectionSize]);
  const similarities = clipSimilarities(scope, caption, clipImageEmbeddings(scope, config, images));
  return { inputs: { images, caption }, outputs: { scores: reshape(similarities, [batchSize]) } };
}
