export { peakSignalToNoise } from './evaluation/peak-signal-to-noise.js';
export { writeSampleSheet } from './evaluation/sample-sheet.js';
export { ResumeError } from './run/checkpoint.js';
export { type MetricsRecord, readMetrics } from './run/metrics.js';
export type { TrainingConfig } from './run/options.js';
export { DivergenceError, type RunOptions, type TrainingProgress } from './run/trainer.js';
export type { FrozenTextEncoder, TrainedTextEncoder } from './text/text-source.js';
export * from './train-decoder.js';
export * from './train-vqgan.js';
