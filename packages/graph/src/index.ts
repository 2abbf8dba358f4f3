export * from './gradient.js';
export * from './graph-error.js';
export * from './initializers.js';
export * from './layers.js';
export { type EmitOptions, emitOnnx, type ParameterPlacement } from './onnx/emit.js';
export { inLayer, isOperation } from './operation.js';
export * from './operators.js';
export * from './optimizers.js';
export * from './parameters.js';
export * from './print-graph.js';
export * from './quantizable-parameters.js';
export type { BoundInputs, CompileOptions, Executable, RunOptions, Runtime, TensorValues } from './runtimes/runtime.js';
export * from './schedules.js';
export { broadcastShapes, sizeOf } from './shape.js';
export {
  type BindOptions,
  bindParameters,
  type CheckpointTensor,
  matchParameters,
  type ParameterMatch,
  type ParameterSource,
} from './stored/bind-parameters.js';
export type { Dense } from './stored/dense.js';
export type { Fp16 } from './stored/fp16.js';
export type { FileRegion, InMemory, Part } from './stored/part.js';
export { checkpointTensors, dequantize, type Float32Tensor, quantize } from './stored/quantize-checkpoint.js';
export {
  type QuantizedBits,
  type QuantizedBlocks,
  type QuantizeOptions,
  quantizeBlocks,
} from './stored/quantized-blocks.js';
export { type QuantizedColumns, quantizeColumns } from './stored/quantized-columns.js';
export { type QuantizedRows, quantizeRows } from './stored/quantized-rows.js';
export { decodeParameter, fileRegionsOf, type StoredParameter } from './stored/stored-parameter.js';
export * from './tensor.js';
export * from './training.js';
export * from './traversal.js';
