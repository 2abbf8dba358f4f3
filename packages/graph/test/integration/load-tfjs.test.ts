import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runModule } from '@dalle-mini/testing/processes';
import { afterAll, describe, expect, test } from 'vitest';

const installed = fileURLToPath(new URL('../../../../node_modules', import.meta.url));

describe('loading TensorFlow.js', () => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  /** Loads TensorFlow.js in a project that has only these packages, with the given sources. */
  async function load(packages: Readonly<Record<string, string>>): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'graph-tfjs-'));
    folders.push(folder);
    cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    for (const [name, source] of Object.entries(packages)) {
      const path = join(folder, 'node_modules', name);
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'package.json'), JSON.stringify({ name, type: 'module', exports: './index.js' }));
      writeFileSync(join(path, 'index.js'), source);
    }
    mkdirSync(join(folder, 'node_modules/@dalle-mini'), { recursive: true });
    for (const name of ['@dalle-mini/core', '@dalle-mini/weights', 'pbf'])
      symlinkSync(join(installed, name), join(folder, 'node_modules', name), 'junction');
    const program = `
      import { loadTfjs } from './dist/runtimes/tfjs.js';
      await loadTfjs().then((tf) => console.log(tf.name), (error) => console.log(error.message));
    `;
    const { stdout } = await runModule(program, folder);
    return stdout.trim();
  }

  const core = `
    export const names = [];
    export const engine = () => ({ backendNames: () => names });
    export const ready = async () => {};
    export let name = 'core';
    export const register = (backend) => { names.push(backend); name = 'core with ' + names; };
  `;
  const backend = (name: string) => `import { register } from '@tensorflow/tfjs-core'; register('${name}');`;
  const wasm = { '@tensorflow/tfjs-backend-wasm': backend('wasm') };
  const cpu = { '@tensorflow/tfjs-backend-cpu': backend('cpu') };

  test('prefers native TensorFlow, then wasm, then plain JavaScript', async () => {
    const native = { '@tensorflow/tfjs-node': "export const name = 'native';" };
    expect(await load({ ...native, '@tensorflow/tfjs-core': core, ...wasm, ...cpu })).toBe('native');
    expect(await load({ '@tensorflow/tfjs-core': core, ...wasm, ...cpu })).toBe('core with wasm');
    expect(await load({ '@tensorflow/tfjs-core': core, ...cpu })).toBe('core with cpu');
  });

  test('adds no backend if one is registered', async () => {
    expect(await load({ '@tensorflow/tfjs-core': `${core} register('webgpu');`, ...wasm })).toBe('core with webgpu');
  });

  test('names the package to install if there is none', async () => {
    expect(await load({})).toMatch(/^TensorFlow\.js is not installed\. Run `npm install @tensorflow\/tfjs-node`/);
    expect(await load({ '@tensorflow/tfjs-core': core })).toMatch(
      /npm install @tensorflow\/tfjs-core @tensorflow\/tfjs-backend-wasm`\.$/,
    );
  });

  test('reports a broken native TensorFlow instead of skipping it', async () => {
    const broken = { '@tensorflow/tfjs-node': "throw new Error('libtensorflow.so.2 is missing');" };
    expect(await load({ ...broken, '@tensorflow/tfjs-core': core, ...cpu })).toBe(
      '@tensorflow/tfjs-node is installed, but does not load: libtensorflow.so.2 is missing',
    );
  });
});
