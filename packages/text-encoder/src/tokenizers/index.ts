/** From captions to token ids. */
export { TextNormalizer, type TextNormalizerOptions } from '../captions/text-normalizer.js';
export type { WordFrequencies } from '../captions/word-splitter.js';
export { type CharBpeFiles, charBpeTokenizerJson } from './char-bpe.js';
export {
  type DalleMiniTokenizerOptions,
  dalleMiniTokenizer,
  dalleMiniTokenizerFiles,
  neededTokenizerFiles,
  wordsFile,
} from './dalle-mini-files.js';
export { emojiNamingTokenizer } from './emoji-naming-tokenizer.js';
export { minDalleTokenizer } from './min-dalle-tokenizer.js';
export { normalizingTokenizer } from './normalizing-tokenizer.js';
export {
  loadTextTokenizer,
  type TextTokenizer,
  type TokenBatch,
  type Unread,
  vocabularySizeOf,
} from './text-tokenizer.js';
export {
  type BpeFiles,
  tokenizerFromBpeFiles,
  tokenizerFromFiles,
  tokenizerFromWordPieceFiles,
  type WordPieceFiles,
} from './vocabulary-files.js';
