/** The contents of a model folder in memory. */
import type { SamplingOptions } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import type { BartConfig, Classes, HuggingFaceFiles } from '@dalle-mini/text-encoder';
import type { dalleMiniTokenizerFiles } from '@dalle-mini/text-encoder/tokenizers';
import type { Dtype } from './dtype.js';
import type { DecoderPart, VqganPart } from './part-kind.js';

/** File names of a tokenizer. */
export type TokenizerFileName = (typeof dalleMiniTokenizerFiles)[number];

/** A text encoder in the layout of Hugging Face: `text-encoder/`. */
export interface TextEncoderPart {
  readonly files: HuggingFaceFiles;
  readonly maxLength: number;
}

/** The BART encoder of DALL·E Mini: `text-encoder/`. */
export interface BartPart {
  readonly config: BartConfig;
  readonly parameters: ReadonlyMap<string, TensorData>;
  /** The tokenizer of the published code, or min-dalle's. */
  readonly tokenizer: 'bart' | 'min-dalle';
  /**
   * The contents of the published tokenizer files: `tokenizer.json`, or `vocab.json` and `merges.txt`; and, to
   * normalize captions, `enwiki-words-frequency.txt`.
   */
  readonly tokenizerFiles: Readonly<Partial<Record<TokenizerFileName, string>>>;
}

/** A tokenizer alone, for decoders that have embeddings of words: `text-encoder/`. */
export interface TokenizerPart {
  /** The parsed `tokenizer.json`. */
  readonly tokenizerJson: object;
  /** Length of captions in tokens. */
  readonly maxLength: number;
}

/** Classes: `text-encoder/`. */
export interface ClassesPart {
  readonly classes: Classes;
}

/** The text encoder of a model, of any type. */
export type AnyTextEncoderPart = TextEncoderPart | BartPart | TokenizerPart | ClassesPart;

/** The contents of a model folder in memory. */
export interface ModelParts<TextEncoder = TextEncoderPart> {
  readonly name: string;
  readonly license?: string | undefined;
  readonly imageTokenizer: VqganPart;
  readonly textEncoder: TextEncoder;
  readonly decoder: DecoderPart;
  readonly sampling?: SamplingOptions | undefined;
}

export interface WriteModelOptions {
  /**
   * Precision of stored weights: single, half, or linear layers of 8 or 4 bits. A text encoder from Hugging Face keeps
   * its precision. Default `fp32`.
   */
  readonly dtype?: Dtype | undefined;
}
