import packages, { bundle } from '../../rolldown.config.mjs';

/**
 * The worker thread is a program of its own, in one file with what it needs of the packages of this repository: a thread loads nothing that
 * the main thread has loaded, and starts sooner the less it loads.
 */
const worker = {
  ...packages,
  input: { 'runtimes/onnxruntime-worker': 'src/runtimes/onnxruntime-worker.ts' },
  external: [/^node:/, 'onnxruntime-node', 'pbf'],
  output: { ...packages.output, cleanDir: false, codeSplitting: false },
};

export default [bundle(), worker];
