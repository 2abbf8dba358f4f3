export { checkVqganConfig, gridSizeOf, type VqganConfig, vqganConfigField, vqganPresets } from './config.js';
export { importVqModelConfig, vqModelNames } from './diffusers.js';
export {
  type DiscriminatorConfig,
  discriminate,
  discriminatorFields,
  discriminatorParameters,
  discriminatorPrefix,
} from './discriminator.js';
export { writePixels } from './pixels.js';
export {
  exportVqgan,
  exportVqganConfig,
  importDiscriminator,
  importLlamaGenTokenizerConfig,
  importVqgan,
  importVqganConfig,
} from './published.js';
export { pixelsToRows, type Quantized, type QuantizeOptions } from './quantizer.js';
export { decodeGraph, decodeTokens, encodeGraph, encodeImages, reconstruct, vqganParameters } from './vqgan.js';
export { VqganTokenizer, type VqganTokenizerOptions } from './vqgan-tokenizer.js';
