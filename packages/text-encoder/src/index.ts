export { type BertConfig, bert, bertGraph } from './bert/bert.js';
export { parseBertConfig } from './bert/config.js';
export { HuggingFaceTextEncoder } from './bert/hugging-face-text-encoder.js';
export type { BertFamily } from './bert/names.js';
export { bertWeights } from './bert/weights.js';
export type { CompiledTextEncoder, CompiledTextEncoderOptions } from './compiled-text-encoder.js';
export {
  type BartConfig,
  bart,
  bartGraph,
  bartParameters,
  bartPresets,
  checkBartConfig,
} from './dalle-mini/bart.js';
export { type BartParts, BartTextEncoder } from './dalle-mini/bart-text-encoder.js';
export { exportTextEncoder, importTextEncoder, importTextEncoderConfig } from './dalle-mini/published.js';
export {
  type HuggingFaceFiles,
  type LoadTextEncoderOptions,
  loadTextEncoder,
  type TextEncoderSizes,
  textEncoderSizes,
} from './load-text-encoder.js';
export { parseT5Config, type T5Config } from './t5/config.js';
export { t5, t5Graph } from './t5/t5.js';
export { T5TextEncoder } from './t5/t5-text-encoder.js';
export { t5Weights } from './t5/weights.js';
export { ClassEncoder, type Classes } from './tokens/class-encoder.js';
export { TokenTextEncoder, type TokenTextEncoderOptions } from './tokens/token-text-encoder.js';
