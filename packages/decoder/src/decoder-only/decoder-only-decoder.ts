import type { StoredParameter } from '@dalle-mini/graph/stored';
import { AutoregressiveDecoder, type AutoregressiveDecoderOptions } from '../autoregressive/autoregressive-decoder.js';
import { checkDecoderOnlyConfig, type DecoderOnlyConfig } from './config.js';
import { decoderOnlyModel } from './decoder-only.js';

/** A decoder-only model with its weights, on a runtime. It reads captions as token ids: `TextEncoding.tokens`. */
export class DecoderOnlyDecoder extends AutoregressiveDecoder {
  /**
   * @param parameters Parameters with the names of kakaobrain/minDALL-E. Unknown ones are ignored.
   * @throws OptionError if an option is wrong; ConfigError that names a wrong field of the configuration.
   */
  constructor(
    config: DecoderOnlyConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: AutoregressiveDecoderOptions,
  ) {
    super(decoderOnlyModel(checkDecoderOnlyConfig(config)), parameters, options);
  }
}
