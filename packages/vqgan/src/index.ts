export * from './config.js';
export * from './image-tokenizer.js';
export * from './quantizer.js';
export * from './vqgan.js';
export * from './vqgan-tokenizer.js';
