export { type BertConfig, bert, parseBertConfig } from './bert.js';
export { type BertFiles, BertTextEncoder, type BertTextEncoderOptions } from './bert-text-encoder.js';
export type { EncodeOptions, TextEncoder, TextEncoding } from './text-encoder.js';
export { type CaptionTokenizer, loadTokenizer, type TokenBatch } from './tokenizer.js';
