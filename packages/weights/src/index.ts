export { CheckpointError } from './errors/checkpoint-error.js';
export { type FlaxWriteOptions, writeFlaxMsgpack } from './formats/flax/writer.js';
export type { CheckpointFile, CheckpointFormat } from './formats/layout.js';
export { type ReadOptions, readCheckpoint, whichField } from './formats/read-checkpoint.js';
export { readSafetensors, type Safetensors } from './formats/safetensors/reader.js';
export { type SafetensorsWriteOptions, writeSafetensors } from './formats/safetensors/writer.js';
export { MissingAverageError, type WhichWeights } from './formats/which.js';
export { WhichReader } from './formats/which-reader.js';
export { refuseUnknownOptions } from './published-options.js';
export { transposeInPlace } from './tensors/axis-order.js';
export { findModel, type ModelTensors } from './tensors/model-tensors.js';
export {
  type Checkpoint,
  fromFloat32,
  fromInt32,
  type StoredDtype,
  type StoredTensor,
  toFloat32,
  toInt32,
} from './tensors/stored-tensor.js';
