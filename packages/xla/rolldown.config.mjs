import packages, { bundle } from '../../rolldown.config.mjs';

/** The thread that answers XLA is a program of its own, next to the file that starts it. */
const worker = {
  input: { 'key-value-worker': 'src/pjrt/key-value-worker.ts' },
  platform: 'node',
  external: [/^node:/, 'koffi'],
  output: { ...packages.output, entryFileNames: '[name].mjs', cleanDir: false, codeSplitting: false },
};

export default [bundle(), worker];
