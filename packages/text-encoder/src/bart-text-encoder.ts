import { nextTurn } from '@dalle-mini/core';
import { parametersOf, type Runtime, type StoredParameter } from '@dalle-mini/graph';
import type { StoredTensor } from '@dalle-mini/weights';
import { type BartConfig, bartGraph, bartPaddingIsFree, checkBartConfig } from './bart.js';
import { CompiledTextEncoder, checkBatches, pickParameters } from './compiled-text-encoder.js';
import type { CaptionTokenizer } from './tokenizer.js';

/** What DALL·E Mini's text encoder is made of. */
export interface BartParts {
  readonly config: BartConfig;
  /** The one that the model was trained with: its normalization of text is part of it. */
  readonly tokenizer: CaptionTokenizer;
  /**
   * Parameters named as in kuprel/min-dalle: as values for the runtime, or as a checkpoint's tensors, in any floating-point type or
   * in 8 bits with scales. What is not needed is ignored.
   */
  readonly weights: ReadonlyMap<string, StoredTensor | StoredParameter>;
}

export interface BartTextEncoderOptions {
  /** What computes the model. It is not disposed of with the encoder: several models may share it. */
  readonly runtime: Runtime;
  /** Number of tokens that every caption is cut or padded to. Default the model's, which the published code always uses. */
  readonly maxLength?: number;
  /** Number of captions computed at once. Default 4. */
  readonly batchSize?: number;
}

/** DALL·E Mini's own text encoder. */
export class BartTextEncoder extends CompiledTextEncoder {
  /**
   * @throws RangeError if the configuration is not sound, `maxLength` is past the model's positions, or `batchSize` is not a
   * whole number of 1 or more; Error if a weight is missing or has another shape.
   */
  static async fromParts(parts: BartParts, options: BartTextEncoderOptions): Promise<BartTextEncoder> {
    const { config, tokenizer, weights } = parts;
    checkBartConfig(config);
    const { runtime, maxLength = config.maxLength, batchSize = 4 } = options;
    checkBatches(maxLength, batchSize, config.maxLength);
    await nextTurn();
    const graph = bartGraph(config, batchSize, maxLength);
    const declared = parametersOf(Object.values(graph.outputs));
    const executable = await runtime.compile(graph, { parameters: pickParameters(declared, weights) });
    return new BartTextEncoder(config.width, maxLength, batchSize, bartPaddingIsFree(config), tokenizer, executable);
  }
}
