import type { RgbImage } from './image.js';

export interface ImageEncodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface ImageDecodeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Decodes all grids as one mosaic with this number of columns, in raster order. Neighboring images blend without a seam. The number
   * of grids must be a multiple of `columns`. The memory and time of attention grow with the square of the number of grids. By default
   * each grid is decoded separately.
   */
  readonly columns?: number | undefined;
}

/**
 * Converts images to grids of discrete tokens and back: the first and the last stage of DALL·E Mini.
 *
 * A grid is an `Int32Array` of `gridSize²` tokens in raster order, each in `[0, vocabularySize)`.
 */
export interface ImageTokenizer {
  /** Width and height of the images, in pixels. */
  readonly imageSize: number;
  /** Width and height of the token grid. */
  readonly gridSize: number;
  /** Number of codes in the codebook. */
  readonly vocabularySize: number;
  /** Encodes each image of `imageSize × imageSize` pixels to one grid. */
  encode(images: readonly RgbImage[], options?: ImageEncodeOptions): Promise<Int32Array[]>;
  /** Decodes each grid to one image of `imageSize × imageSize` pixels. */
  decode(grids: readonly Int32Array[], options?: ImageDecodeOptions): Promise<RgbImage[]>;
  /** Frees the model. */
  dispose(): Promise<void>;
}
