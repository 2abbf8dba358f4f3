export * from './config.js';
export * from './dalle-mini-decoder.js';
export * from './decoder.js';
export { type RowShape, rowGraph, textGraph } from './decoding.js';
export * from './release.js';
export * from './sampling.js';
