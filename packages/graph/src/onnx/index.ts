/** Graphs as ONNX models. */
export { type EmitOptions, emitOnnx, type ParameterPlacement } from './emit.js';
