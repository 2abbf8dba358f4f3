import {
  boolean,
  type Fields,
  integer,
  list,
  OptionError,
  object,
  optional,
  readOptions,
  string,
} from '@dalle-mini/core';
import type { RgbImage, TextToImage } from '@dalle-mini/pipeline';
import { type GenerateNumbers, generateNumbers } from '@dalle-mini/pipeline/text-to-image';

/** The body of `POST /api/generate`. */
export interface GenerateRequest extends GenerateNumbers {
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  /** Whether events have previews of the images. Default false. */
  readonly previews?: boolean | undefined;
}

/** Most characters of a prompt. Text encoders read far fewer. */
const promptLength = 2000;

/** Most grids of `POST /api/decode`. */
const gridCount = 16;

/** Reads the body of `POST /api/generate`. */
export function readGenerateRequest(body: unknown, maxImages: number): GenerateRequest {
  const fields: Fields<GenerateRequest> = {
    ...generateNumbers,
    n: optional(integer({ min: 1, max: maxImages }), 1),
    prompt: string(),
    negativePrompt: optional(string({ minLength: 0 })),
    previews: optional(boolean()),
  };
  const request = readOptions(object(fields), body, 'POST /api/generate');
  for (const name of ['prompt', 'negativePrompt'] as const) {
    const length = request[name]?.length ?? 0;
    if (length > promptLength)
      throw new OptionError(name, `at most ${promptLength} characters`, `${length} characters`);
  }
  return request;
}

/** Reads the body of `POST /api/decode`: grids of image tokens. */
export function readGrids(body: unknown, { imageTokenizer }: TextToImage): Int32Array[] {
  const { gridSize, vocabularySize } = imageTokenizer;
  const token = integer({ min: 0, max: vocabularySize - 1 });
  const grids = list(list(token, { min: gridSize ** 2, max: gridSize ** 2 }), { min: 1, max: gridCount });
  const request = readOptions(object<{ grids: readonly (readonly number[])[] }>({ grids }), body, 'POST /api/decode');
  return request.grids.map((grid) => Int32Array.from(grid));
}

/** Reads the body of `POST /api/encode`: the pixels of one image, red, green and blue by rows, in base64. */
export function readPixels(body: unknown, { imageTokenizer }: TextToImage): RgbImage {
  const { imageSize } = imageTokenizer;
  const request = readOptions(object<{ pixels: string }>({ pixels: string() }), body, 'POST /api/encode');
  const data = new Uint8Array(Buffer.from(request.pixels, 'base64'));
  const expected = 3 * imageSize ** 2;
  if (data.length !== expected)
    throw new OptionError(
      'pixels',
      `${expected} bytes in base64, an image of ${imageSize} × ${imageSize} pixels`,
      `${data.length} bytes`,
    );
  return { width: imageSize, height: imageSize, data };
}
