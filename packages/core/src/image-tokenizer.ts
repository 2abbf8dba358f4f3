import type { RgbImage } from './image.js';

export interface ImageEncodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface ImageDecodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Decodes all grids together, as one image with this number of columns, row by row: where images meet they blend, without a seam.
   * The number of grids must be a multiple of it. Memory and time of attention grow with the square of the number. Default: each
   * grid on its own.
   */
  readonly columns?: number | undefined;
}

/**
 * Turns images into grids of discrete tokens and back: the first and the last stage of DALL·E Mini.
 *
 * A grid is an `Int32Array` of `gridSize²` tokens in raster order, each in `[0, vocabularySize)`.
 */
export interface ImageTokenizer {
  /** Width and height, in pixels, of the images that it reads and writes. */
  readonly imageSize: number;
  /** Width and height of the token grid. */
  readonly gridSize: number;
  /** Number of codes in the codebook. */
  readonly vocabularySize: number;
  /** Encodes images of `imageSize × imageSize` pixels, each to one grid. */
  encode(images: readonly RgbImage[], options?: ImageEncodeOptions): Promise<Int32Array[]>;
  /** Decodes grids, each to one image of `imageSize × imageSize` pixels. */
  decode(grids: readonly Int32Array[], options?: ImageDecodeOptions): Promise<RgbImage[]>;
  /** Frees the model. */
  dispose(): Promise<void>;
}
