import { readFileSync } from 'node:fs';
import { rolldown } from 'rolldown';
import packages, { bundle } from '../../rolldown.config.mjs';

/**
 * The worker thread is a program of its own, in one file with all it needs except ONNX Runtime: a thread loads nothing that the main
 * thread has loaded, and starts sooner the less it loads. The suffix .mjs is understood wherever a bundler copies the file to.
 */
const name = 'runtimes/onnxruntime-worker';
const program = { input: { [name]: `src/${name}.ts` }, platform: 'node', external: [/^node:/, 'onnxruntime-node'] };
const pbfLicense = `/*! Contains pbf:\n\n${readFileSync('../../node_modules/pbf/LICENSE', 'utf8').trim()}\n*/`;
const worker = {
  ...program,
  output: {
    ...packages.output,
    entryFileNames: '[name].mjs',
    cleanDir: false,
    codeSplitting: false,
    banner: pbfLicense,
  },
};

/** Puts the worker's program into the library as a string too, for programs that a bundler made without the file. */
const embeddedWorker = {
  name: 'embedded-worker',
  async transform(_, id) {
    if (!id.endsWith('/onnxruntime-worker-source.ts')) return null;
    const build = await rolldown(program);
    const { output } = await build.generate({ format: 'cjs', minify: true, codeSplitting: false, banner: pbfLicense });
    return { code: `export const workerSource = ${JSON.stringify(output[0].code)};`, map: null };
  },
};

/** What every entry point uses is one chunk, and stored parameters are another: a program loads fewer files so. */
const library = bundle();
library.plugins = [embeddedWorker];
library.output.codeSplitting = {
  groups: [
    {
      name: 'graph',
      test: /src\/((dynamic-axes|graph-error|operation|operators|parameters|shape|traversal)|runtimes\/(out-of-memory|runtime-unavailable)-error)\.ts$/,
    },
    { name: 'stored', test: /src\/(stored\/(?!index|read-)[\w-]+|onnx\/(proto|output-name))\.ts$/ },
  ],
};

export default [library, worker];
