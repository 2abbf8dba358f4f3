export * from './gradient.js';
export * from './initializers.js';
export * from './layers.js';
export { emitOnnx, type ParameterPlacement, parameterOrder } from './onnx/emit.js';
export * from './operators.js';
export * from './parameters.js';
export * from './random.js';
export type { CompileOptions, Executable, RunOptions, Runtime, TensorValues } from './runtimes/runtime.js';
export * from './tensor.js';
