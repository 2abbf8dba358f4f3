export * from './image-tokenizer.js';
