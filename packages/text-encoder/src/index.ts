export * from './text-encoder.js';
