/** Images as the start of generation: which of their tokens are kept. */
import {
  checkImage,
  type Fields,
  field,
  type ImageTokenDecoder,
  type ImageTokenizer,
  type InitialTokens,
  integer,
  number,
  OptionError,
  optional,
  type RgbImage,
} from '@dalle-mini/core';

/** An image to start from, and what is kept of it. */
export interface ImagePrompt {
  /**
   * An image that is completed, edited or varied, of `imageTokenizer.imageSize` pixels width and height. `decodeImage` of
   * `@dalle-mini/data` reads one from a file, and crops it to that size. Default: none.
   */
  readonly image?: RgbImage | undefined;
  /**
   * Rows of tokens of `image` that are kept, from the top: 1 to one less than the rows of the grid. Default: half of them, without
   * `mask` and `strength`.
   */
  readonly keepRows?: number | undefined;
  /**
   * Which part of `image` is generated (inpainting): white pixels; the black ones are kept. A token is generated if any of its pixels is
   * white. Of the same size as `image`. Needs a masked decoder.
   */
  readonly mask?: RgbImage | undefined;
  /**
   * How far the generated part may be from `image`, above 0 and at most 1: low values give variations of the image, 1 ignores what is not
   * kept. Needs a masked decoder. Default 1.
   */
  readonly strength?: number | undefined;
}

/** The fields of an {@link ImagePrompt}. The command line checks its options with them. */
export const imagePromptFields: Fields<ImagePrompt> = {
  image: optional(imageField()),
  keepRows: optional(integer({ min: 1 })),
  mask: optional(imageField()),
  strength: optional(number({ above: 0, max: 1 })),
};

function imageField() {
  return field<RgbImage>('an RGB image', (value) => typeof value === 'object' && value !== null);
}

/** A function that makes the tokens to start from for a number of images: the same for each of them. */
export type StartOf = (count: number) => InitialTokens | undefined;

/**
 * Encodes the image to start from.
 *
 * @throws OptionError if an image has another size than the model's, or the decoder cannot do what is asked for.
 */
export async function encodeImagePrompt(
  prompt: ImagePrompt,
  decoder: ImageTokenDecoder,
  imageTokenizer: ImageTokenizer,
  signal: AbortSignal | undefined,
): Promise<StartOf> {
  const { image, strength } = prompt;
  checkTogether(prompt);
  if (!image) return () => undefined;
  checkSize('image', image, imageTokenizer);
  checkDecoder(prompt, decoder);
  const keep = keptTokens(prompt, decoder, imageTokenizer);
  const [grid] = await imageTokenizer.encode([image], { signal });
  return (count) => ({ grids: Array<Int32Array>(count).fill(grid!), keep, strength });
}

/** Refuses options that need or exclude each other. */
function checkTogether({ image, keepRows, mask, strength }: ImagePrompt): void {
  for (const [name, value] of Object.entries({ keepRows, mask, strength })) {
    if (value !== undefined && !image) throw new OptionError('image', `given if ${name} is`, image);
  }
  if (keepRows !== undefined && mask) throw new OptionError('keepRows', 'left out if mask is given', keepRows);
}

/** Refuses what the decoder cannot do. */
function checkDecoder({ image, mask, strength = 1 }: ImagePrompt, { keeps }: ImageTokenDecoder): void {
  if (keeps === undefined)
    throw new OptionError('image', 'left out, because the decoder of this model cannot start from an image', image);
  if (keeps === 'any') return;
  const refuse = (option: string, expected: string, given: unknown) => {
    const message =
      `${option} must be ${expected}, because the decoder of this model generates row by row: it can only keep rows from the top, with ` +
      'keepRows. Use a model with a masked decoder, such as aMUSEd or one that was trained with the kind "masked".';
    throw new OptionError(option, expected, given, message);
  };
  if (mask) refuse('mask', 'left out', mask);
  if (strength !== 1) refuse('strength', '1 or left out', strength);
}

function checkSize(name: string, image: RgbImage, { imageSize }: ImageTokenizer): void {
  checkImage(image, name);
  const { width, height } = image;
  if (width === imageSize && height === imageSize) return;
  const expected = `${imageSize} × ${imageSize} pixels, the size of the model's images`;
  throw new OptionError(
    name,
    expected,
    image,
    `${name} must have ${expected}, not ${width} × ${height}. Read it with decodeImage(path, ${imageSize}) of ` +
      '@dalle-mini/data, which scales and crops it.',
  );
}

/** Returns 1 for the tokens that are kept, 0 for the others. */
function keptTokens(prompt: ImagePrompt, { gridSize }: ImageTokenDecoder, tokenizer: ImageTokenizer): Uint8Array {
  const { mask, keepRows, strength } = prompt;
  if (mask) return outsideMask(mask, tokenizer);
  if (keepRows === undefined && strength !== undefined) return new Uint8Array(gridSize ** 2);
  const rows = keepRows ?? Math.floor(gridSize / 2);
  if (rows >= gridSize)
    throw new OptionError(
      'keepRows',
      `at most ${gridSize - 1}, because the model has ${gridSize} rows of tokens`,
      rows,
    );
  return new Uint8Array(gridSize ** 2).fill(1, 0, rows * gridSize);
}

/** Returns 1 for the tokens whose pixels are all black. */
function outsideMask(mask: RgbImage, tokenizer: ImageTokenizer): Uint8Array {
  checkSize('mask', mask, tokenizer);
  const { gridSize, imageSize } = tokenizer;
  const keep = new Uint8Array(gridSize ** 2).fill(1);
  const placeOf = (pixel: number) => Math.floor((pixel * gridSize) / imageSize);
  for (let y = 0; y < imageSize; y++) {
    for (let x = 0; x < imageSize; x++) {
      const at = 3 * (y * imageSize + x);
      if (Math.max(...mask.data.subarray(at, at + 3)) >= 128) keep[placeOf(y) * gridSize + placeOf(x)] = 0;
    }
  }
  if (!keep.includes(0))
    throw new OptionError(
      'mask',
      'white where the image is generated',
      mask,
      'mask must have white pixels, where the image is generated. Black ones are kept.',
    );
  return keep;
}
