import type { RgbImage, TextWarning } from '@dalle-mini/core';
import type { EncodeImageOptions, ImageFormat } from '../images/image-file.js';

/** A generated image, with the seed and the index that generate it again. */
export class GeneratedImage {
  /** The pixels. */
  readonly image: RgbImage;
  /** The image tokens of the decoder: `gridSize²` tokens in raster order. */
  readonly tokens: Int32Array;
  /** The seed of the call. */
  readonly seed: number;
  /** Index of the image within the seed, from 0. The image is the same for every `n` above `index`. */
  readonly index: number;
  /** The ranker's score; `undefined` without a ranker. */
  readonly score: number | undefined;
  /** Warnings about the prompt: that it was truncated, or has unknown words. Usually empty. */
  readonly warnings: readonly TextWarning[];

  constructor(parts: {
    readonly image: RgbImage;
    readonly tokens: Int32Array;
    readonly seed: number;
    readonly index: number;
    readonly score?: number | undefined;
    readonly warnings?: readonly TextWarning[] | undefined;
  }) {
    this.image = parts.image;
    this.tokens = parts.tokens;
    this.seed = parts.seed;
    this.index = parts.index;
    this.score = parts.score;
    this.warnings = parts.warnings ?? [];
  }

  /**
   * Writes the image to a file atomically. The file extension sets the format: `.png`, `.jpg`, `.jpeg` or `.webp`.
   *
   * @throws OptionError for other extensions; FileError if the file cannot be written.
   *
   * @example
   * ```ts
   * import { fromPretrained } from '@dalle-mini/pipeline';
   *
   * const model = await fromPretrained();
   * const [picture] = await model.generate('a red apple', { seed: 7 });
   * await picture?.save('apple.webp', { quality: 90 });
   * await model.dispose();
   * ```
   */
  async save(path: string, options: Omit<EncodeImageOptions, 'format'> = {}): Promise<void> {
    // Loaded on first use, because this module runs in browsers too.
    const { saveImage } = await import('../images/image-file.js');
    await saveImage(this.image, path, options);
  }

  /**
   * Encodes the image as a file.
   *
   * @param format Default `png`.
   * @returns The bytes of the file, such as the body of an HTTP response.
   */
  async toBuffer(format: ImageFormat = 'png', options: Omit<EncodeImageOptions, 'format'> = {}): Promise<Uint8Array> {
    const { encodeImage } = await import('../images/image-file.js');
    return encodeImage(this.image, { ...options, format });
  }
}
