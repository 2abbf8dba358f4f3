/** Bundles a small app as the guide "In the browser" says, and runs it. */
import { cpSync, readdirSync, statSync } from 'node:fs';
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

/** Bytes of the files of a folder, by extension. */
function sizesOf(folder: string): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    const found = statSync(join(folder, name));
    if (found.isFile()) sizes[extname(name)] = (sizes[extname(name)] ?? 0) + found.size;
  }
  return sizes;
}

/** What a visitor loads at most: bytes of JavaScript, and of the weights of the bundled model. */
const budget = { '.js': 1_000_000, '.wasm': 15_000_000, '.safetensors': 46_000_000 };

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
      const sizes = sizesOf(folder);
      console.log(name, sizes);
      for (const [extension, most] of Object.entries(budget)) expect(sizes[extension] ?? 0).toBeLessThanOrEqual(most);
      await using page = await openPage({ folders: { '/': `${folder}/` } });
      const generated = await page.onPage<{ tokens: number[]; png: number }>('generate', options);
      expect(generated.tokens).toEqual(tokens);
      expect(generated.png).toBeGreaterThan(1000);
    });
  });
});
