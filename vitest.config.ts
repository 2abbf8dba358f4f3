import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';
import { bundle } from './packages/testing/src/bundle.js';
import { entries } from './scripts/entries.mjs';

/** The source of everything that a package exports: `@dalle-mini/graph/onnxruntime` is `packages/graph/src/runtimes/onnxruntime.ts`. */
const sources = entries()
  .filter(({ built }) => built !== undefined)
  .map(({ name, source }) => ({ find: new RegExp(`^${name}$`), replacement: join(import.meta.dirname, source) }));

/** Resolves packages of this repository to their sources. */
const packagesFromSources = {
  name: 'packages-from-sources',
  resolveId: (name: string) => sources.find(({ find }) => find.test(name))?.replacement,
};

/** Node.js runs no TypeScript, and a worker thread is a program of its own: bundles it where a source says which file it starts. */
const workerThreads: Plugin = {
  name: 'worker-threads',
  // Before TypeScript is taken away, and its quotes with it.
  enforce: 'pre',
  async transform(code, id) {
    const [expression, name] = /new URL\('\.\/([\w-]+-worker)\.mjs', import\.meta\.url\)/.exec(code) ?? [];
    const [, folder, path] = /^(.*\/packages\/[^/]+)\/src\/(.*\/)?[^/]+\.ts$/.exec(id) ?? [];
    if (expression === undefined || folder === undefined) return null;
    // As deep in the package as the built one is.
    const file = join(folder, '.unit', path ?? '', `${name}.mjs`);
    const program = join(dirname(id), `${name}.ts`);
    for (const source of await bundle(program, file, /^@dalle-mini\//, [packagesFromSources]))
      this.addWatchFile(source);
    return { code: code.replace(expression, `new URL('${pathToFileURL(file)}')`), map: null };
  },
};

const integration = '{packages/*,examples/*,demo}/test/integration/**/*.test.ts';

const unitTests = ['{packages/*,examples/*,demo}/test/**/*.test.ts'];

/** Unit tests that replace modules of Node.js: each needs modules of its own. */
const mocking = [
  'packages/core/test/write-file.test.ts',
  'packages/train/test/faults.test.ts',
  'packages/weights/test/{hub,node,upload-folder}.test.ts',
];

const unit = { extends: true as const, resolve: { alias: sources }, plugins: [workerThreads] };

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // Tests that start processes take seconds on an idle machine, and a minute on a busy one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    setupFiles: ['./packages/testing/src/equal-bytes.ts'],
    projects: [
      {
        ...unit,
        // Files share modules, which are loaded once for each of the two processes.
        test: { name: 'unit', include: unitTests, exclude: [integration, ...mocking], isolate: false },
      },
      { ...unit, test: { name: 'unit-mocking', include: mocking } },
      { extends: true, test: { name: 'integration', include: [integration] } },
    ],
  },
});
