import packages, { bundle } from '../../rolldown.config.mjs';

/** What every entry point uses is one chunk, and stored parameters are another: a program loads fewer files so. */
const library = bundle();
library.output.codeSplitting = {
  groups: [
    { name: 'graph', test: /src\/(dynamic-axes|graph-error|operation|operators|parameters|shape|traversal)\.ts$/ },
    { name: 'stored', test: /src\/(stored\/(?!index|read-)[\w-]+|onnx\/(proto|output-name))\.ts$/ },
  ],
};

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

export default [library, worker];
