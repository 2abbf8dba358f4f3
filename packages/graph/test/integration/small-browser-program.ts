/** The smallest program that computes in a browser, to measure it. */
export { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
