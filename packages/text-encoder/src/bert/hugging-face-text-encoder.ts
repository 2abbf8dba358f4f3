import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledTextEncoder, type CompiledTextEncoderOptions } from '../compiled-text-encoder.js';
import { type BertConfig, bertGraph } from './bert.js';

/**
 * A pretrained text encoder of the BERT family: BERT, RoBERTa, DistilBERT, MPNet, the encoder of BART, or MiniLM, for
 * example. `loadTextEncoder` makes one from the contents of files.
 */
export class HuggingFaceTextEncoder extends CompiledTextEncoder {
  /**
   * @param config The sizes and options of the model, from `parseBertConfig`.
   * @param parameters The parameters of `bert`, from `bertWeights`. Unknown ones are ignored.
   * @throws OptionError if an option is wrong, such as a `maxLength` of more than the positions of the model.
   */
  constructor(
    config: BertConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: CompiledTextEncoderOptions,
  ) {
    const { width, positions, vocabularySize } = config;
    const graph = (batch: number, length: number) => bertGraph(config, batch, length);
    const model = { width, positions, vocabularySize, lengthVaries: true, config, graph };
    super(model, parameters, options, 'new HuggingFaceTextEncoder');
  }
}
