export { ResumeError } from './checkpoint.js';
export { peakSignalToNoise } from './images.js';
export { type MetricsRecord, readMetrics } from './metrics.js';
export { writeSampleSheet } from './sample-sheet.js';
export type { FrozenTextEncoder, TrainedTextEncoder } from './text-source.js';
export * from './train-decoder.js';
export * from './train-vqgan.js';
export { DivergenceError, type RunOptions, type TrainingProgress } from './trainer.js';
export type { TrainingConfig } from './training-config.js';
