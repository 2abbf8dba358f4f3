/** Images as the start of generation: which of their tokens are kept. */
import {
  checkImage,
  type Fields,
  field,
  type ImageTokenDecoder,
  type ImageTokenizer,
  type InitialTokens,
  integer,
  OptionError,
  optional,
  type RgbImage,
} from '@dalle-mini/core';

/** An image to start from. */
export interface ImagePrompt {
  /**
   * An image whose upper part is kept and completed, of `imageTokenizer.imageSize` pixels width and height. `decodeImage` of
   * `@dalle-mini/data` reads one from a file, and crops it to that size. Default: none.
   */
  readonly image?: RgbImage | undefined;
  /** Rows of tokens of `image` that are kept, from the top: 1 to one less than the rows of the grid. Default: half of them. */
  readonly keepRows?: number | undefined;
}

/** The fields of an {@link ImagePrompt}. The command line checks its options with them. */
export const imagePromptFields: Fields<ImagePrompt> = {
  image: optional(field<RgbImage>('an RGB image', (value) => typeof value === 'object' && value !== null)),
  keepRows: optional(integer({ min: 1 })),
};

/** A function that makes the tokens to start from for a number of images: the same for each of them. */
export type StartOf = (count: number) => InitialTokens | undefined;

/**
 * Encodes the image to start from.
 *
 * @throws OptionError if the image has another size than the model's, or the decoder cannot keep what is to be kept.
 */
export async function encodeImagePrompt(
  prompt: ImagePrompt,
  decoder: ImageTokenDecoder,
  imageTokenizer: ImageTokenizer,
  signal: AbortSignal | undefined,
): Promise<StartOf> {
  const { image } = prompt;
  if (!image) {
    checkWithout(prompt);
    return () => undefined;
  }
  checkSize(image, imageTokenizer);
  const keep = keptRows(prompt, decoder);
  const [grid] = await imageTokenizer.encode([image], { signal });
  return (count) => ({ grids: Array<Int32Array>(count).fill(grid!), keep });
}

/** Refuses options that say what is kept of an image if there is none. */
function checkWithout({ image, keepRows }: ImagePrompt): void {
  if (keepRows !== undefined) throw new OptionError('image', 'given if keepRows is', image);
}

function checkSize(image: RgbImage, { imageSize }: ImageTokenizer): void {
  checkImage(image);
  const { width, height } = image;
  if (width === imageSize && height === imageSize) return;
  const expected = `${imageSize} × ${imageSize} pixels, the size of the model's images`;
  throw new OptionError(
    'image',
    expected,
    image,
    `image must have ${expected}, not ${width} × ${height}. Read it with decodeImage(path, ${imageSize}) of ` +
      '@dalle-mini/data, which scales and crops it.',
  );
}

/** Returns 1 for the tokens of the rows that are kept, 0 for the others. */
function keptRows({ image, keepRows }: ImagePrompt, { gridSize, keeps }: ImageTokenDecoder): Uint8Array {
  if (keeps === undefined)
    throw new OptionError('image', 'left out, because the decoder of this model cannot start from an image', image);
  if (gridSize < 2)
    throw new OptionError('image', 'left out, because the model has one row of tokens, which is generated', image);
  const rows = keepRows ?? Math.floor(gridSize / 2);
  if (rows >= gridSize)
    throw new OptionError(
      'keepRows',
      `at most ${gridSize - 1}, because the model has ${gridSize} rows of tokens`,
      rows,
    );
  return new Uint8Array(gridSize ** 2).fill(1, 0, rows * gridSize);
}
