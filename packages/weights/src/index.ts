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
export { dequantize, type Float32Tensor, type QuantizedRows, quantize, quantizeRows } from './quantization.js';
export { readSafetensors, type Safetensors, writeSafetensors } from './safetensors.js';
