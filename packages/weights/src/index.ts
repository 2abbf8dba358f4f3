export { transposeInPlace } from './axis-order.js';
export {
  type Checkpoint,
  CheckpointError,
  fromFloat32,
  fromInt32,
  type StoredDtype,
  type StoredTensor,
  toFloat32,
  toInt32,
} from './checkpoint.js';
export { type FlaxWriteOptions, writeFlaxMsgpack } from './flax-msgpack.js';
export type { CheckpointFile, CheckpointFormat } from './layout.js';
export { dequantize, type Float32Tensor, type QuantizedRows, quantize, quantizeRows } from './quantization.js';
export { readCheckpoint } from './read-checkpoint.js';
export { readSafetensors, type Safetensors, type SafetensorsWriteOptions, writeSafetensors } from './safetensors.js';
