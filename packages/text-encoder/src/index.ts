export { type BertConfig, bert, bertGraph } from './bert/bert.js';
export { parseBertConfig } from './bert/config.js';
export {
  type HuggingFaceFiles,
  HuggingFaceTextEncoder,
  loadTextEncoder,
} from './bert/hugging-face-text-encoder.js';
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
