/** An RGB image of 8 bits a channel: `width × height × 3` bytes, row by row from the top, red first. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Options of work that may take long. */
export interface TokenizeOptions {
  /** Cancels the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface DecodeOptions extends TokenizeOptions {
  /**
   * Decodes all grids together, as one picture of so many columns, row by row: where images meet they blend, without a seam. The
   * number of grids must be a multiple of it. Memory and time of attention grow with the square of the number. Default: each alone.
   */
  readonly columns?: number;
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
  encode(images: readonly RgbImage[], options?: TokenizeOptions): Promise<Int32Array[]>;
  /** Decodes grids, each to one image of `imageSize × imageSize` pixels. */
  decode(grids: readonly Int32Array[], options?: DecodeOptions): Promise<RgbImage[]>;
  /** Frees the model. */
  dispose(): Promise<void>;
}
