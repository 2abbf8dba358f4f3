import { nextTurn } from '@dalle-mini/core';
import type { Runtime, StoredParameter } from '@dalle-mini/graph';
import { CompiledTextEncoder, checkBatches } from '../compiled-text-encoder.js';
import type { TextTokenizer } from '../tokenizers/text-tokenizer.js';
import { type BartConfig, bartGraph, bartPaddingIsFree, checkBartConfig } from './bart.js';

/** What DALL·E Mini's text encoder is made of. */
export interface BartParts {
  readonly config: BartConfig;
  /** The one that the model was trained with: its normalization of text is part of it. */
  readonly tokenizer: TextTokenizer;
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
   * @throws ConfigError that names a wrong field of the configuration; OptionError if `maxLength` is more than the positions of the model,
   * or `batchSize` is not a whole number of at least 1; GraphError if a parameter is missing or has another shape.
   */
  static async fromParts(parts: BartParts, options: BartTextEncoderOptions): Promise<BartTextEncoder> {
    const { tokenizer, parameters } = parts;
    const config = checkBartConfig(parts.config);
    const { runtime, maxLength = config.maxLength, batchSize = 4 } = options;
    checkBatches(maxLength, batchSize, config.maxLength);
    await nextTurn();
    const graph = bartGraph(config, batchSize, maxLength);
    const executable = await runtime.compile(graph, { parameters });
    return new BartTextEncoder(config.width, maxLength, batchSize, bartPaddingIsFree(config), tokenizer, executable);
  }
}
