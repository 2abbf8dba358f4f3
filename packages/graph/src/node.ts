/** Functions that need the file system, but no runtime: reading stored parameters and writing ONNX models. */
export { writeOnnx } from './onnx/write.js';
export { type ParameterPart, readParameter, readParameterParts } from './stored/read-parameter.js';
