export {
  type BartConfig,
  bart,
  bartParameters,
  bartPresets,
  checkBartConfig,
} from './bart.js';
export * from './bart-block.js';
export { type BartParts, BartTextEncoder, type BartTextEncoderOptions } from './bart-text-encoder.js';
export { type BertConfig, bert, parseBertConfig } from './bert.js';
export { type BertFiles, BertTextEncoder, type BertTextEncoderOptions } from './bert-text-encoder.js';
export { CompiledTextEncoder } from './compiled-text-encoder.js';
export { minDalleTokenizer } from './min-dalle-tokenizer.js';
export { bartConfigFromRelease, blockConfigFromRelease, readRelease, takeBart, takeStack } from './release.js';
export type { EncodeOptions, TextEncoder, TextEncoding } from './text-encoder.js';
export { normalizingTokenizer, TextNormalizer, type TextNormalizerOptions } from './text-normalizer.js';
export { type CaptionTokenizer, loadTokenizer, type TokenBatch } from './tokenizer.js';
export {
  type BpeFiles,
  tokenizerFromBpeFiles,
  tokenizerFromWordPieceFiles,
  type WordPieceFiles,
} from './vocabulary-files.js';
export type { WordFrequencies } from './word-splitter.js';
