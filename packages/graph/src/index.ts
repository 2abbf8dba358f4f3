export * from './gradient.js';
export * from './initializers.js';
export * from './layers.js';
export * from './next-turn.js';
export {
  type ExternalPlace,
  emitOnnx,
  type FilePlace,
  type InitialValue,
  type ParameterPlacement,
} from './onnx/emit.js';
export * from './operators.js';
export * from './optimizers.js';
export * from './parameters.js';
export * from './quantization.js';
export * from './random.js';
export type { CompileOptions, Executable, HeldInputs, RunOptions, Runtime, TensorValues } from './runtimes/runtime.js';
export * from './schedules.js';
export * from './tensor.js';
export * from './training.js';
