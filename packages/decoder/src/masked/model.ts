import type { TextEncoding } from '@dalle-mini/core';
import type { ParameterScope, Tensor } from '@dalle-mini/graph';
import type { Encodings, Tensors, Values } from '../autoregressive/model.js';

/** A model that predicts all masked image tokens at once, as the graph and the decoder that all of them share need it. */
export interface MaskedModel {
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** The token in place of those that are not known. */
  readonly maskToken: number;
  /** Number of caption tokens of every sequence, or `undefined` for any number. */
  readonly textLength: number | undefined;
  /** Declares the inputs for captions of `length` tokens. */
  textInputs(sequences: number, length: number): Tensors;
  /**
   * Computes the logits of the tokens at all places, `[sequences, gridSize², vocabularySize]`, from tokens of which some are masked,
   * int32 `[sequences, gridSize²]`.
   */
  logits(scope: ParameterScope, tokens: Tensor, text: Tensors): Tensor;
  /**
   * Checks an encoding.
   *
   * @throws OptionError whose option begins with `name`.
   */
  checkEncoding(name: string, encoding: TextEncoding): void;
  /** Returns the values of {@link textInputs} for captions of `length` tokens. */
  textValues(encodings: Encodings, length: number): Values;
}
