export * from './text-encoder.js';
export { type CaptionTokenizer, loadTokenizer, type TokenBatch } from './tokenizer.js';
