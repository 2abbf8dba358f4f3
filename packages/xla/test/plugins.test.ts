import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { XlaError } from '@dalle-mini/xla';
import { findPlugins, installPlugin, pluginLicense } from '@dalle-mini/xla/plugins';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CatalogEntry, catalog } from '../src/plugins/catalog.js';
import { installEntry } from '../src/plugins/install.js';
import { packageIndex } from '../src/plugins/package-index.js';
import { zipOf } from './zip.js';

const library = 'some_plugin/plugin.so';
const file = 'some_plugin-1.2-py3-none-any.whl';
const wheel = zipOf({
  [library]: 'the library',
  'some_plugin/__init__.py': 'import this',
  'some_plugin-1.2.dist-info/licenses/LICENSE': 'the licence',
  'some_plugin-1.2.dist-info/METADATA': 'Version: 1.2',
});

const entry: CatalogEntry = {
  name: 'cpu',
  device: 'cpu',
  project: 'some-plugin',
  version: '1.2',
  library,
  license: 'MIT',
  wheels: [
    {
      platform: `${process.platform}-${process.arch}`,
      file,
      bytes: wheel.length,
      sha256: createHash('sha256').update(wheel).digest('hex'),
    },
  ],
};

let server: Server;
let requests: { url: string; authorization: string | undefined }[];
let cache: string;

/** Starts a package index and returns its address. */
async function serve(answer: RequestListener): Promise<string> {
  requests = [];
  server = createServer((request, response) => {
    requests.push({ url: request.url!, authorization: request.headers.authorization });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`;
}

const json = JSON.stringify({ files: [{ filename: file, url: `../../files/${file}` }] });
const html = `<!DOCTYPE html><a href="../../files/other.whl">other.whl</a> <a data-x="1" href="../../files/${file}#sha256=0">${file}</a>`;

/** An index that answers with a list and with the bytes of the wheel. */
const index =
  (list: string, type: string, bytes: Uint8Array = wheel): RequestListener =>
  ({ url }, response) => {
    if (url === '/simple/some-plugin/') response.setHeader('content-type', type).end(list);
    else if (url === `/files/${file}`) response.end(bytes);
    else response.writeHead(404).end();
  };

const jsonType = 'application/vnd.pypi.simple.v1+json';

beforeEach(async () => {
  cache = await temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', cache);
  for (const name of [
    'PJRT_PLUGIN_LIBRARY_PATH',
    'PIP_INDEX_URL',
    'PYTHONPATH',
    'CONDA_PREFIX',
    'HTTP_PROXY',
    'http_proxy',
  ])
    vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  server?.close();
});

/** The files in the folder of the plugins, by their paths. */
const installed = async () => {
  const found = await readdir(join(cache, 'dalle-mini/xla/plugins'), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return found
    .filter((one) => one.isFile())
    .map(({ name }) => name)
    .sort();
};

describe('installing a plugin', () => {
  test.each([
    ['JSON', json, jsonType],
    ['HTML', html, 'text/html; charset=utf-8'],
  ])('downloads the pinned wheel of an index that answers in %s, and unpacks the library', async (_, list, type) => {
    const done: number[] = [];
    const indexUrl = await serve(index(list, type));
    const plugin = await installEntry(entry, { indexUrl, onProgress: (progress) => done.push(progress.done) });
    expect(await readFile(plugin.path, 'utf8')).toBe('the library');
    expect(await installed()).toEqual(['LICENSE', 'plugin.so']);
    expect(done.at(-1)).toBe(wheel.length);
    // It is there already.
    server.close();
    expect(await installEntry(entry, { indexUrl })).toEqual(plugin);
  });

  test('refuses a wheel with other bytes, and leaves nothing behind', async () => {
    const changed = Uint8Array.from(wheel);
    changed[40]! ^= 1;
    const indexUrl = await serve(index(json, jsonType, changed));
    await expect(installEntry(entry, { indexUrl })).rejects.toThrow(
      /must have \d+ bytes with the SHA-256 .* Nothing was installed/,
    );
    expect(await installed()).toEqual([]);
  });

  test('stops at a file that does not end', async () => {
    const indexUrl = await serve(({ url }, response) => {
      if (url?.startsWith('/simple')) response.setHeader('content-type', jsonType).end(json);
      else for (let i = 0; i < 1000; i++) response.write(Buffer.alloc(65536));
    });
    await expect(installEntry(entry, { indexUrl })).rejects.toThrow('Nothing was installed');
  });

  test('names a file that the index lacks, and what the index answers', async () => {
    await expect(installEntry(entry, { indexUrl: await serve(index('{"files":[]}', jsonType)) })).rejects.toThrow(
      `does not have ${file}. Set PIP_INDEX_URL to an index that has it.`,
    );
    server.close();
    await expect(
      installEntry({ ...entry, project: 'absent' }, { indexUrl: await serve(index(json, jsonType)) }),
    ).rejects.toThrow('answered with status 404. Check PIP_INDEX_URL; a mirror may lack this package.');
  });

  test('can be canceled, and then leaves nothing behind', async () => {
    const controller = new AbortController();
    const indexUrl = await serve(({ url }, response) => {
      if (url?.startsWith('/simple')) response.setHeader('content-type', jsonType).end(json);
      else response.write(wheel.subarray(0, 50), () => controller.abort(new Error('enough')));
    });
    await expect(installEntry(entry, { indexUrl, signal: controller.signal })).rejects.toThrow('enough');
    expect(await installed()).toEqual([]);
  });

  test('sends the user and the password of PIP_INDEX_URL, and shows them in no error', async () => {
    const address = await serve(index(json, jsonType));
    vi.stubEnv('PIP_INDEX_URL', address.replace('//', '//user:p%40ss@'));
    await installEntry(entry, {});
    expect(requests[0]!.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
    vi.stubEnv('PIP_INDEX_URL', 'ftp://user:p%40ss@example.org');
    expect(() => packageIndex()).toThrow(
      new XlaError(
        'PIP_INDEX_URL must be the address of a package index such as https://pypi.org/simple, not something else. Correct it.',
      ),
    );
  });

  test('refuses a name that it does not know, and a computer without a wheel', async () => {
    await expect(installPlugin('gpu' as never)).rejects.toThrow(OptionError);
    await expect(installEntry({ ...entry, wheels: [] }, {})).rejects.toThrow('There is no cpu plugin for');
  });
});

describe('the catalog', () => {
  test('pins every wheel, and knows its licence', () => {
    for (const { name, version, wheels } of catalog) {
      expect(pluginLicense(name)).not.toBe('');
      for (const pinned of wheels) {
        expect(pinned.sha256).toMatch(/^[\da-f]{64}$/);
        expect(pinned.file).toContain(`-${version}-`);
      }
    }
  });
});

describe('plugins are found', () => {
  const found = async () => (await findPlugins()).filter(({ path }) => !path.startsWith('/usr'));

  test('in the environment first, then among the installed ones, then among the packages of Python', async () => {
    const [cpu] = catalog as [CatalogEntry];
    const python = join(cache, 'venv');
    const packages = join(python, 'lib/python3.12/site-packages');
    const places = [join(cache, 'dalle-mini/xla/plugins', `cpu-${cpu.version}`), packages].map((folder) =>
      join(folder, cpu.library),
    );
    for (const path of places) {
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, '');
    }
    const information = join(packages, `${cpu.project.replaceAll('-', '_')}-9.9.dist-info`);
    await mkdir(information);
    await writeFile(join(information, 'METADATA'), 'Metadata-Version: 2.1\nName: x\nVersion: 9.9\n');
    vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', '/opt/plugin.so');
    vi.stubEnv('VIRTUAL_ENV', python);
    expect(await found()).toEqual([
      { path: '/opt/plugin.so', device: undefined, source: 'environment', name: undefined, version: undefined },
      { path: places[0], device: 'cpu', source: 'installed', name: 'cpu', version: cpu.version },
      { path: places[1], device: 'cpu', source: 'python', name: 'cpu', version: '9.9' },
    ]);
  });
});
