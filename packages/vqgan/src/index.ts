export * from './config.js';
export * from './pixels.js';
export * from './quantizer.js';
export * from './release.js';
export * from './vqgan.js';
export { VqganTokenizer } from './vqgan-tokenizer.js';
