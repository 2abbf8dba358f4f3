/** Bundles a small app as the guide "In the browser" says, and runs it. */
import { cpSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromPretrained } from '@dalle-mini/pipeline';
import { describeChromium, openPage } from '@dalle-mini/testing/chromium';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import * as esbuild from 'esbuild';
import * as vite from 'vite';
import { beforeAll, describe, expect, test } from 'vitest';

const app = join(import.meta.dirname, 'bundled-app');
const at = (module: string) => dirname(fileURLToPath(import.meta.resolve(module)));

async function buildWithVite(folder: string): Promise<void> {
  await vite.build({
    root: app,
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { outDir: folder },
  });
}

async function buildWithEsbuild(folder: string): Promise<void> {
  await esbuild.build({
    entryPoints: [join(app, 'main.js'), join(app, 'worker.js')],
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    splitting: true,
    target: 'es2022',
    conditions: ['onnxruntime-web-use-extern-wasm'],
    // An app does not have the paths of this repository, which lead to sources.
    tsconfigRaw: {},
    logLevel: 'error',
  });
  cpSync(join(app, 'index.html'), join(folder, 'index.html'));
  cpSync(at('@dalle-mini/emoji/model/model.json'), join(folder, 'model'), { recursive: true });
}

/** Bytes of the files that a page has asked for, by extension. */
function sizesOf(requests: readonly string[], folders: readonly (readonly [path: string, folder: string])[]) {
  const sizes: Record<string, number> = {};
  for (const path of new Set(requests.map((request) => request.replace(/^GET /, '')))) {
    const [start, folder] = folders.find(([start]) => path.startsWith(start))!;
    const found = statSync(join(folder, path.slice(start.length)), { throwIfNoEntry: false });
    if (found?.isFile()) sizes[extname(path)] = (sizes[extname(path)] ?? 0) + found.size;
  }
  return sizes;
}

/** What a visitor loads at most: bytes of JavaScript, of ONNX Runtime, and of the weights of the bundled model. */
const budget = { '.js': 900_000, '.wasm': 14_500_000, '.safetensors': 45_000_000 };

describeChromium('a page that is bundled', () => {
  let tokens: number[];
  beforeAll(async () => {
    await using model = await fromPretrained('emoji', { threads: 1 });
    const [picture] = await model.generate('a red apple', { seed: 7 });
    tokens = [...picture!.tokens];
  });

  describe.each([
    ['Vite', buildWithVite, {}],
    ['esbuild', buildWithEsbuild, { wasmPaths: '/ort/' }],
  ])('with %s', (name, build, options) => {
    test('generates with the bundled model, and stays within the budget of bytes', async () => {
      const folder = await temporaryFolder();
      await build(folder);
      await using page = await openPage({ folders: { '/': `${folder}/` } });
      const generated = await page.onPage<{ tokens: number[]; png: number }>('generate', options);
      expect(generated.tokens).toEqual(tokens);
      expect(generated.png).toBeGreaterThan(1000);
      const sizes = sizesOf(page.requests, [
        ['/ort/', at('onnxruntime-web/ort-wasm-simd-threaded.wasm')],
        ['/', folder],
      ]);
      console.log(name, sizes);
      for (const [extension, most] of Object.entries(budget)) {
        expect(sizes[extension]).toBeLessThanOrEqual(most);
        // As large as it is, so that the budget is one of what was measured.
        expect(sizes[extension]).toBeGreaterThan(most / 2);
      }
    });
  });
});
