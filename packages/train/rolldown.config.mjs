import { join } from 'node:path';
import { bundle } from '../../rolldown.config.mjs';

/** What the browser has instead of modules of Node.js, and of packages that need Node.js. */
const platform = {
  './agreement.js': 'agreement',
  'node:crypto': 'crypto',
  'node:fs/promises': 'fs-promises',
  'node:os': 'os',
  'node:path': 'path',
  '@dalle-mini/core/node': 'core-node',
  '@dalle-mini/perceptual/node': 'perceptual-node',
  '@dalle-mini/pipeline': 'pipeline',
  '@dalle-mini/weights/node': 'weights-node',
  sharp: 'sharp',
};

const library = bundle();
const { 'browser/index': program, ...input } = library.input;
library.input = input;

/** The same sources with the files of the browser. */
const browser = bundle();
browser.input = { 'browser/index': program };
browser.external = (id) => platform[id] === undefined && library.external.some((pattern) => pattern.test(id));
browser.plugins = [
  {
    name: 'platform',
    resolveId(id) {
      const file = platform[id];
      return file === undefined ? null : join(import.meta.dirname, `src/browser/platform/${file}.ts`);
    },
  },
];
browser.transform = { define: { 'process.pid': '0', 'process.versions.node': '"none"' } };
browser.output = { ...browser.output, cleanDir: false, chunkFileNames: 'browser/chunks/[name].js' };

export default [library, browser];
