import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { findPlugins } from '@dalle-mini/xla/plugins';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { dalleMini } from './dalle-mini.js';

const tpu = (await findPlugins()).find(({ device }) => device === 'tpu');

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', folder);
  vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', '');
});
afterEach(() => vi.unstubAllEnvs());

test('accelerator list shows a plugin that does not work with the reason', async () => {
  const path = join(folder, 'plugin.so');
  await writeFile(path, 'not a library');
  vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', path);
  const { code, stdout } = await dalleMini(folder, ['accelerator', 'list']);
  expect(stdout).toContain(`unknown environment: does not work: ${path} is not a plugin of XLA that works here`);
  expect(stdout).toContain(`\n  ${path}\n`);
  expect(code).toBe(0);
});

describe.skipIf(!tpu)(`the plugin for TPUs${tpu ? '' : ' (skipped: no plugin)'}`, () => {
  test('accelerator list tells at once that there is no TPU', async () => {
    vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', tpu!.path);
    // Other tests may use it now.
    vi.stubEnv('ALLOW_MULTIPLE_LIBTPU_LOAD', '1');
    const { stdout } = await dalleMini(folder, ['accelerator', 'list']);
    expect(stdout).toContain('cannot open a device of this computer. Check that it has one');
  });
});

test('accelerator devices fails for a file that is missing', async () => {
  const { code, stderr } = await dalleMini(folder, ['accelerator', 'devices', join(folder, 'absent.so')]);
  expect(stderr).toMatch(/^dalle-mini: Cannot read .*absent\.so: there is no such file/);
  expect(code).toBe(1);
});

test('accelerator install names the plugins that there are, and an index that cannot be used', async () => {
  const unknown = await dalleMini(folder, ['accelerator', 'install', 'gpu']);
  expect(unknown.stderr).toContain('cpu, cuda12, cuda13, tpu');
  expect(unknown.code).toBe(2);
  vi.stubEnv('PIP_INDEX_URL', 'nonsense');
  const { code, stderr } = await dalleMini(folder, ['accelerator', 'install', 'cpu']);
  // Elsewhere than on Linux, there is no plugin.
  expect(stderr).toMatch(/PIP_INDEX_URL must be the address of a package index|There is no cpu plugin for/);
  expect(code).toBe(1);
});
