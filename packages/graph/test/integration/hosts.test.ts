import { spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { ending, runModule } from '@dalle-mini/testing/processes';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';

const packages = join(import.meta.dirname, '../../../../node_modules');

/** Computes −x of a vector. */
const program = `
  import * as g from '@dalle-mini/graph';
  import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
  async function negate(values, options = { threads: 1 }) {
    const runtime = new OnnxRuntime(options);
    try {
      const x = g.input('x', [values.length]);
      const executable = await runtime.compile({ inputs: { x }, outputs: { y: g.neg(x) } });
      const feeds = { x: { dtype: 'float32', shape: [values.length], data: Float32Array.from(values) } };
      return (await executable.run(feeds)).y.data.join();
    } finally {
      await runtime.dispose();
    }
  }
`;
const printNegative = `${program}
  negate([1, 2]).then(console.log, (error) => console.log(error.name, error.code, error.message));`;

/** Creates the folder of an app with packages of this repository. */
async function createApp(linked: readonly string[]): Promise<string> {
  const folder = await temporaryFolder();
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@dalle-mini'), { recursive: true });
  for (const name of linked) await symlink(join(packages, name), join(modules, name), 'junction');
  return folder;
}

/** Runs a file in its folder. */
function runFile(folder: string, file: string, args: readonly string[] = []) {
  return ending(spawn(process.execPath, [...args, file], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }));
}

describe.each(['esm', 'cjs'] as const)('a program that is bundled into one file, as %s,', (format) => {
  async function bundle(folder: string): Promise<void> {
    const source = join(await createApp(['@dalle-mini/graph']), 'program.mjs');
    await writeFile(source, printNegative);
    const build = await rolldown({ input: source, platform: 'node' });
    await build.write({
      dir: folder,
      format,
      codeSplitting: false,
      entryFileNames: format === 'esm' ? 'program.mjs' : 'program.cjs',
    });
  }
  const file = format === 'esm' ? 'program.mjs' : 'program.cjs';

  test('computes where onnxruntime-node is installed', async () => {
    const app = await createApp(['onnxruntime-node']);
    await bundle(app);
    expect(await runFile(app, file)).toEqual({ code: 0, stdout: '-1,-2\n', stderr: '' });
  });

  test('names the settings of bundlers where it is not', async () => {
    const app = await createApp([]);
    await bundle(app);
    const { stdout } = await runFile(app, file);
    expect(stdout).toMatch(/^RuntimeUnavailableError RUNTIME_UNAVAILABLE .* is not found\. If a bundler .*external/);
  });
});

describe('where the native library cannot be loaded', () => {
  /** Runs a program. onnxruntime-web is installed next to the package, unless it is hidden. */
  async function run(source: string, hidesWeb = false) {
    const app = await createApp(['@dalle-mini/graph']);
    const hook = join(app, 'hook.cjs');
    await writeFile(
      hook,
      `process.dlopen = () => { throw new Error('Error relocating libonnxruntime.so.1'); };
      const Module = require('node:module');
      const resolve = Module._resolveFilename;
      if (${hidesWeb}) Module._resolveFilename = (name, ...rest) => {
        const found = name === 'onnxruntime-web' ? undefined : resolve(name, ...rest);
        if (!found) throw Object.assign(new Error("Cannot find module '" + name + "'"), { code: 'MODULE_NOT_FOUND' });
        return found;
      };`,
    );
    return runModule(source, app, [], { env: { ...process.env, NODE_OPTIONS: `--require ${hook}` } });
  }

  test('uses onnxruntime-web if that is installed', async () => {
    expect(await run(printNegative)).toEqual({ code: 0, stdout: '-1,-2\n', stderr: '' });
  });

  test('names the reason and the fix if neither can be used', async () => {
    const message = /^RuntimeUnavailableError RUNTIME_UNAVAILABLE ONNX Runtime cannot be loaded: .*glibc.*Debian/;
    expect((await run(printNegative, true)).stdout).toMatch(message);
    const onGpu = `${program}
      await negate([1], { executionProviders: ['cuda', 'cpu'] }).catch((error) => console.log(error.name, error.code, error.message));`;
    expect((await run(onGpu)).stdout).toMatch(message);
  });
});

test('the threads of a runtime that nothing refers to end', async () => {
  // As a development server does, which loads the modules of an app again and again.
  const source = `
    import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
    import { setTimeout } from 'node:timers/promises';
    import { setFlagsFromString } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    const workers = new Set();
    process.on('worker', (worker) => {
      workers.add(worker);
      worker.on('exit', () => workers.delete(worker));
    });
    for (let i = 0; i < 3; i++) new OnnxRuntime({ threads: 1 }).start();
    await setTimeout(0);
    console.log(workers.size);
    while (workers.size > 0) {
      await setTimeout(20);
      collect();
    }
    console.log(workers.size);`;
  expect(await runModule(source, import.meta.dirname, [], { timeout: 60_000 })).toEqual({
    code: 0,
    stdout: '6\n0\n',
    stderr: '',
  });
});

test('computes inside a worker thread, which may exit while it does', async () => {
  const app = await createApp(['@dalle-mini/graph']);
  await writeFile(
    join(app, 'worker.mjs'),
    `import { parentPort } from 'node:worker_threads';
     ${program}
     parentPort.postMessage(await negate([3]));
     const x = g.input('x', [512, 512]);
     const { carried } = g.loop(40, [x], (_, [state]) => ({ carried: [g.matmul(state, x)] }));
     const executable = await new OnnxRuntime().compile({ inputs: { x }, outputs: { y: g.sum(carried[0]) } });
     executable.run({ x: { dtype: 'float32', shape: [512, 512], data: new Float32Array(512 * 512) } });
     setTimeout(() => process.exit(4), 20);`,
  );
  const source = `
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const worker = new Worker('./worker.mjs', { execArgv: [] });
    console.log(...await once(worker, 'message'));
    console.log(...await once(worker, 'exit'));`;
  expect(await runModule(source, app)).toEqual({ code: 0, stdout: '-3\n4\n', stderr: '' });
});
