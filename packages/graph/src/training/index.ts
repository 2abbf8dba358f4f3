/** Gradients, optimizers and training steps, as graphs. */
export { type GradOptions, grad } from './gradient.js';
export { type MuonOptions, muon } from './muon.js';
export {
  type AdafactorOptions,
  type AdamOptions,
  type AdamWOptions,
  adafactor,
  adam,
  adamW,
  clipByGlobalNorm,
  type Optimizer,
  type ParameterStep,
  type SgdOptions,
  sgd,
  type WeightDecayOptions,
} from './optimizers.js';
export { holdState } from './resident-state.js';
export { constantRate, cosineDecay, linearDecay, type Schedule, warmUp } from './schedules.js';
export { type ShampooOptions, shampoo } from './shampoo.js';
export {
  type BatchShare,
  type GraphWithRoles,
  initialState,
  type LossResult,
  type SplitTrainingGraph,
  type SplitUpdate,
  type StatisticsGraph,
  splitTrainingGraph,
  type TrainingGraph,
  type TrainingOptions,
  trainingGraph,
  type UpdateOptions,
} from './training-graph.js';
