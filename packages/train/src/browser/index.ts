/**
 * Trains in browsers. Bundlers take it in place of `@dalle-mini/train`. The training functions are those of Node.js; their files are in the
 * browser's origin private file system (OPFS), under the same names.
 */
export type { VqganLossConfig } from '../losses/vqgan.js';
export { ResumeError } from '../run/checkpoint.js';
export type { LearningRateGroup } from '../run/learning-rates.js';
export { type MetricsRecord, readMetrics } from '../run/metrics.js';
export type { EarlyStopping, RunOptions, TrainingConfig, TrainingProgress } from '../run/options.js';
export type { Order } from '../run/order.js';
export { type RunLogRecord, readRunLog } from '../run/run-log.js';
export { DivergenceError } from '../run/trainer.js';
export type { FrozenTextEncoder, TrainedTextEncoder } from '../text/text-source.js';
export {
  type DecoderSamples,
  type DecoderTraining,
  type DecoderTrainingConfig,
  decoderTrainingFields,
  trainDecoder,
} from '../train-decoder.js';
export { trainVqgan, type VqganTraining, type VqganTrainingConfig, vqganTrainingFields } from '../train-vqgan.js';
