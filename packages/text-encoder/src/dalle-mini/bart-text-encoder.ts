import { nextTurn } from '@dalle-mini/core';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledTextEncoder, type CompiledTextEncoderOptions, readMakeOptions } from '../compiled-text-encoder.js';
import type { TextTokenizer } from '../tokenizers/text-tokenizer.js';
import { type BartConfig, bartGraph, bartPaddingIsFree, checkBartConfig } from './bart.js';

/** The parts of DALL·E Mini's text encoder. */
export interface BartParts {
  readonly config: BartConfig;
  /** The tokenizer with which the model was trained, including its normalization of text. */
  readonly tokenizer: TextTokenizer;
  /** Parameters with the names of kuprel/min-dalle. Unknown ones are ignored. */
  readonly parameters: ReadonlyMap<string, StoredParameter>;
}

/** The BART encoder of DALL·E Mini. */
export class BartTextEncoder extends CompiledTextEncoder {
  /**
   * Compiles a text encoder from its parts.
   *
   * @throws ConfigError that names a wrong field of the configuration; OptionError if `maxLength` is more than the
   * positions of the model, or `batchSize` is not a whole number of at least 1; GraphError if a parameter is missing or
   * has another shape.
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
