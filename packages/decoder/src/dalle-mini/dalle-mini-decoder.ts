import type { StoredParameter } from '@dalle-mini/graph/stored';
import { AutoregressiveDecoder, type AutoregressiveDecoderOptions } from '../autoregressive/autoregressive-decoder.js';
import { checkDecoderConfig, type DecoderConfig } from './config.js';
import { dalleMiniModel } from './decoder.js';

/** DALL·E Mini's decoder with its weights, on a runtime. */
export class DalleMiniDecoder extends AutoregressiveDecoder {
  /**
   * @param parameters Parameters with the names of kuprel/min-dalle. Unknown ones are ignored.
   * @throws OptionError if an option is wrong; ConfigError that names a wrong field of the configuration.
   */
  constructor(
    config: DecoderConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: AutoregressiveDecoderOptions,
  ) {
    super(dalleMiniModel(checkDecoderConfig(config)), parameters, options);
  }
}
