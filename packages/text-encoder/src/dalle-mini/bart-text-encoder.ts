import { nextTurn } from '@dalle-mini/core';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledTextEncoder, type CompiledTextEncoderOptions, readMakeOptions } from '../compiled-text-encoder.js';
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

/** DALL·E Mini's own text encoder. */
export class BartTextEncoder extends CompiledTextEncoder {
  /**
   * @throws ConfigError that names a wrong field of the configuration; OptionError if `maxLength` is more than the positions of the model,
   * or `batchSize` is not a whole number of at least 1; GraphError if a parameter is missing or has another shape.
   */
  static async fromParts(parts: BartParts, options: CompiledTextEncoderOptions): Promise<BartTextEncoder> {
    const { tokenizer, parameters } = parts;
    const config = checkBartConfig(parts.config);
    const given = readMakeOptions(options, config.maxLength, 'BartTextEncoder.fromParts');
    const { runtime, ownsRuntime, maxLength, batchSize } = given;
    await nextTurn();
    const graph = bartGraph(config, batchSize, maxLength);
    const executable = await runtime.compile(graph, { parameters });
    const own = ownsRuntime ? runtime : undefined;
    return new BartTextEncoder(
      config.width,
      maxLength,
      batchSize,
      bartPaddingIsFree(config),
      tokenizer,
      executable,
      own,
    );
  }
}
