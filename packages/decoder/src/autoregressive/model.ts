import type { TextEncoding } from '@dalle-mini/core';
import type { ParameterScope, Tensor, TensorData } from '@dalle-mini/graph';
import type { KeysAndValues, RowCache } from '@dalle-mini/transformer';

export type Tensors = Readonly<Record<string, Tensor>>;
export type Values = Readonly<Record<string, TensorData>>;

/** The encodings of a call: that of each image, and with guidance that of one caption, empty or negative. */
export interface Encodings {
  readonly text: TextEncoding;
  /** Whether each image has an unconditional sequence, after all conditional ones. */
  readonly guided: boolean;
  /** Missing if guidance does not need it: see {@link AutoregressiveModel.needsUnconditional}. */
  readonly unconditional?: TextEncoding | undefined;
}

/** One token of each sequence, and what the model attends to. */
export interface Step {
  /** What {@link AutoregressiveModel.readText} returned, and the inputs of {@link AutoregressiveModel.textInputs} for rows. */
  readonly text: Tensors;
  /** The tokens before the ones to generate, int32 `[sequences, 1]`. */
  readonly tokens: Tensor;
  /** Index of the tokens to generate, int32 `[1]`: 0 to gridSize² − 1. */
  readonly position: Tensor;
  /** Keys and values of the tokens before, of each layer. */
  readonly caches: readonly RowCache[];
}

/** A model that generates image tokens one by one, as the graphs and the decoder that all of them share need it. */
export interface AutoregressiveModel {
  readonly gridSize: number;
  readonly vocabularySize: number;
  readonly layers: number;
  /** Heads of keys and values. */
  readonly heads: number;
  /** Width of a head. */
  readonly headWidth: number;
  /** The token before the first image token. Models that read the caption in the same sequence ignore it. */
  readonly beginToken: number;
  /** Number of caption tokens of every sequence, or `undefined` for any number. */
  readonly textLength: number | undefined;
  /** Whether attention needs the positions of the tokens in the cache. */
  readonly needsPositions: boolean;
  /** Whether guidance needs the encoding of an empty or negative caption. Otherwise the model has an embedding for no caption. */
  readonly needsUnconditional: boolean;
  /** Whether all layers read the caption, in the sequence of the image, so that {@link readText} needs nearly all parameters too. */
  readonly readsTextInSequence: boolean;
  /** Declares the inputs for captions: of the graph that reads them once, and of that which generates rows. */
  textInputs(sequences: number, length: number): { readonly once: Tensors; readonly rows: Tensors };
  /** Reads captions once. The results become inputs of the graph that generates rows. */
  readText(scope: ParameterScope, once: Tensors): Tensors;
  /**
   * Computes the logits of the next tokens, `[sequences, at least vocabularySize]`, and the keys and values of the row so far,
   * `[sequences, heads, gridSize, headWidth]`, of each layer.
   */
  next(scope: ParameterScope, step: Step): { readonly logits: Tensor; readonly written: readonly KeysAndValues[] };
  /**
   * Checks an encoding.
   *
   * @throws OptionError whose option begins with `name`.
   */
  checkEncoding(name: string, encoding: TextEncoding): void;
  /** Returns the values of {@link textInputs} for captions of `length` tokens. */
  textValues(encodings: Encodings, length: number): { readonly once: Values; readonly rows: Values };
  /** Parameters that only training uses, as outputs of a graph. */
  readonly trainingOnly?: ((scope: ParameterScope) => readonly Tensor[]) | undefined;
}
