import { integer } from './fields.js';

/** Fields for the sizes of models, with upper bounds: a wrong file is refused before a graph is built or memory is taken. */
export const sizeFields = {
  layers: integer({ min: 1, max: 1024 }),
  heads: integer({ min: 1, max: 1024 }),
  /** Width of hidden states, or channels of an image. */
  width: integer({ min: 1, max: 2 ** 17 }),
  vocabularySize: integer({ min: 1, max: 2 ** 24 }),
  tokenId: integer({ max: 2 ** 24 - 1 }),
  /** Tokens of a text. */
  length: integer({ min: 1, max: 2 ** 17 }),
  /** Width and height of a grid of tokens. */
  gridSize: integer({ min: 1, max: 512 }),
  /** Width and height of an image in pixels. */
  imageSize: integer({ min: 1, max: 8192 }),
} as const;
