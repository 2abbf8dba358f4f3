import type { StoredParameter } from '@dalle-mini/graph/stored';
import { AutoregressiveDecoder, type AutoregressiveDecoderOptions } from '../autoregressive/autoregressive-decoder.js';
import { checkLlamaGenConfig, type LlamaGenConfig } from './config.js';
import { llamaGenModel } from './llama-gen.js';

/**
 * A decoder of LlamaGen with its weights, on a runtime. It reads hidden states of captions, or classes as token ids. With
 * guidance it has an embedding for no caption, so that `unconditional` is only needed for a negative prompt.
 */
export class LlamaGenDecoder extends AutoregressiveDecoder {
  /**
   * @param parameters Parameters with the names of FoundationVision/LlamaGen. Unknown ones are ignored.
   * @throws OptionError if an option is wrong; ConfigError that names a wrong field of the configuration.
   */
  constructor(
    config: LlamaGenConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: AutoregressiveDecoderOptions,
  ) {
    super(llamaGenModel(checkLlamaGenConfig(config)), parameters, options);
  }
}
