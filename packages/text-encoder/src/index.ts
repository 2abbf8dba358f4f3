export {
  type BartConfig,
  bart,
  bartGraph,
  bartParameters,
  bartPresets,
  checkBartConfig,
} from './bart.js';
export * from './bart-block.js';
export { type BartParts, BartTextEncoder, type BartTextEncoderOptions } from './bart-text-encoder.js';
export { type BertConfig, bert, bertActivations, bertGraph } from './bert.js';
export { parseBertConfig } from './bert-config.js';
export type { BertFamily } from './bert-names.js';
export { bertWeights } from './bert-weights.js';
export { CompiledTextEncoder } from './compiled-text-encoder.js';
export {
  type HuggingFaceFiles,
  type HuggingFaceFiles as BertFiles,
  HuggingFaceTextEncoder,
  HuggingFaceTextEncoder as BertTextEncoder,
  type HuggingFaceTextEncoderOptions,
  type HuggingFaceTextEncoderOptions as BertTextEncoderOptions,
} from './hugging-face-text-encoder.js';
export { minDalleTokenizer } from './min-dalle-tokenizer.js';
export {
  bartConfigFromRelease,
  blockConfigFromRelease,
  type ReleaseOptions,
  readRelease,
  releaseBart,
  releaseBlockConfig,
  releaseStack,
  takeBart,
  takeStack,
} from './release.js';
export { normalizingTokenizer, TextNormalizer, type TextNormalizerOptions } from './text-normalizer.js';
export { type CaptionTokenizer, loadTokenizer, type TokenBatch } from './tokenizer.js';
export {
  type BpeFiles,
  tokenizerFromBpeFiles,
  tokenizerFromFiles,
  tokenizerFromWordPieceFiles,
  type WordPieceFiles,
} from './vocabulary-files.js';
export type { WordFrequencies } from './word-splitter.js';
