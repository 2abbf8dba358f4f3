import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledTextEncoder, type CompiledTextEncoderOptions } from '../compiled-text-encoder.js';
import type { T5Config } from './config.js';
import { t5Graph } from './t5.js';

/** The encoder of a T5, T5 1.1 or FLAN-T5. */
export class T5TextEncoder extends CompiledTextEncoder {
  /**
   * @param config The sizes of the model, from `parseT5Config`.
   * @param parameters The parameters of `t5`, from `t5Weights`. Unknown ones are ignored.
   * @throws OptionError if an option is wrong, such as a `maxLength` of more than the positions of the model.
   */
  constructor(config: T5Config, parameters: ReadonlyMap<string, StoredParameter>, options: CompiledTextEncoderOptions) {
    const { width, positions, vocabularySize } = config;
    const graph = (batch: number, length: number) => t5Graph(config, batch, length);
    const model = { width, positions, vocabularySize, lengthVaries: true, config, graph };
    super(model, parameters, options, 'new T5TextEncoder');
  }
}
