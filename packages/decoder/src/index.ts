export * from './image-token-decoder.js';
