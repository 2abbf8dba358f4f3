import { nextTurn } from '@dalle-mini/core';
import type { Runtime, StoredParameter } from '@dalle-mini/graph';
import { type BartConfig, bartGraph, bartPaddingIsFree, checkBartConfig } from './bart.js';
import { CompiledTextEncoder, checkBatches } from './compiled-text-encoder.js';
import type { CaptionTokenizer } from './tokenizer.js';

/** What DALL·E Mini's text encoder is made of. */
export interface BartParts {
  readonly config: BartConfig;
  /** The one that the model was trained with: its normalization of text is part of it. */
  readonly tokenizer: CaptionTokenizer;
  /** Named as in kuprel/min-dalle. What is not needed is ignored. */
  readonly parameters: ReadonlyMap<string, StoredParameter>;
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
   * whole number of 1 or more; GraphError if a parameter is missing or has another shape.
   */
  static async fromParts(parts: BartParts, options: BartTextEncoderOptions): Promise<BartTextEncoder> {
    const { config, tokenizer, parameters } = parts;
    checkBartConfig(config);
    const { runtime, maxLength = config.maxLength, batchSize = 4 } = options;
    checkBatches(maxLength, batchSize, config.maxLength);
    await nextTurn();
    const graph = bartGraph(config, batchSize, maxLength);
    const executable = await runtime.compile(graph, { parameters });
    return new BartTextEncoder(config.width, maxLength, batchSize, bartPaddingIsFree(config), tokenizer, executable);
  }
}
