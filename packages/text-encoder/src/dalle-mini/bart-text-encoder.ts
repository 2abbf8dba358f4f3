import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledTextEncoder, type CompiledTextEncoderOptions } from '../compiled-text-encoder.js';
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
   * @param parameters Named as in kuprel/min-dalle. Unknown ones are ignored.
   * @throws ConfigError that names a wrong field of the configuration; OptionError if an option is wrong, such as a
   *   `maxLength` of more than the positions of the model.
   */
  constructor(
    config: BartConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: CompiledTextEncoderOptions,
  ) {
    const checked = checkBartConfig(config);
    const model = {
      width: checked.width,
      positions: checked.maxLength,
      vocabularySize: checked.vocabularySize,
      config: checked,
      lengthVaries: bartPaddingIsFree(checked),
      graph: (batch: number, length: number) => bartGraph(checked, batch, length),
    };
    super(model, parameters, options, 'new BartTextEncoder');
  }
}
