/** Values of parameters as they are stored: as they are, in half precision or quantized; in memory or in files. */
export {
  type BindOptions,
  bindParameters,
  type CheckpointTensor,
  matchParameters,
  type ParameterMatch,
  type ParameterSource,
} from './bind-parameters.js';
export { checkParameters } from './check-parameters.js';
export type { Dense } from './dense.js';
export type { Fp16 } from './fp16.js';
export type { Elements, FileRegion, InMemory, Part, StoredDType } from './part.js';
export { quantizableParameters } from './quantizable-parameters.js';
export { checkpointTensors, dequantize, type Float32Tensor, quantize } from './quantize-checkpoint.js';
export {
  type QuantizedBits,
  type QuantizedBlocks,
  type QuantizeOptions,
  quantizeBlocks,
} from './quantized-blocks.js';
export { type QuantizedColumns, quantizeColumns } from './quantized-columns.js';
export { type QuantizedRows, quantizeRows } from './quantized-rows.js';
export { type ParameterPart, readParameterParts } from './read-parameter.js';
export { decodeParameter, descriptionOf, type StoredDescription, type StoredParameter } from './stored-parameter.js';
