export { loadCheckpoint, ResumeError, saveCheckpoint, type TrainingState } from './checkpoint.js';
export { peakSignalToNoise } from './images.js';
export { type MetricsRecord, readMetrics } from './metrics.js';
export { writeSampleSheet } from './sample-sheet.js';
export * from './train-decoder.js';
export * from './train-vqgan.js';
export type { RunOptions, TrainingProgress } from './trainer.js';
