export {
  type EvaluateOptions,
  evaluateReconstructions,
  type ReconstructionFigures,
} from './evaluation/reconstructions.js';
export { writeSampleSheet } from './evaluation/sample-sheet.js';
export type {
  AdversarialConfig,
  LeCamConfig,
  PerceptualConfig,
  QuantizerConfig,
  VqganLossConfig,
} from './losses/vqgan.js';
export { type LastEvaluation, readLastEvaluation } from './report/last-evaluation.js';
export { runReport } from './report/run-report.js';
export { ResumeError } from './run/checkpoint.js';
export { readTrainedKeys } from './run/data-record.js';
export type { DeviceOptions } from './run/device.js';
export type { LearningRateGroup } from './run/learning-rates.js';
export { type MetricsRecord, readMetrics } from './run/metrics.js';
export type { ShampooConfig } from './run/optimizer.js';
export type { EarlyStopping, RunOptions, TrainingConfig, TrainingProgress } from './run/options.js';
export type { Order } from './run/order.js';
export { type Machine, type RunLogRecord, readRunLog } from './run/run-log.js';
export { DivergenceError } from './run/trainer.js';
export { textEncoderParameters, textEncoderWeights, trainedTextEncoder } from './text/pretrained.js';
export type { FrozenTextEncoder, TrainedTextEncoder } from './text/text-source.js';
export {
  type DecoderSamples,
  type DecoderTraining,
  type DecoderTrainingConfig,
  decoderTrainingFields,
  trainDecoder,
} from './train-decoder.js';
export { trainVqgan, type VqganTraining, type VqganTrainingConfig, vqganTrainingFields } from './train-vqgan.js';
