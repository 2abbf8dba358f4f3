/** Runs programs in Chromium, on pages and in module workers. */
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { type OutputChunk, type RolldownPlugin, rolldown } from 'rolldown';
import { describe } from 'vitest';

const names = ['chromium', 'chromium-browser', 'google-chrome'];
const path =
  process.env.CHROMIUM ??
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((file) => existsSync(file));

const missing = path ? '' : ' (skipped: no Chromium; install one with "apt-get install chromium")';

/** Describes tests that need Chromium. They are skipped if there is none, and their name says so. */
export const describeChromium = (name: string, tests: () => void): void => {
  describe.skipIf(!path)(`${name}${missing}`, tests);
};

/**
 * Starts a browser without a window.
 *
 * @param args Further arguments of Chromium.
 */
export const launchChromium = (args: readonly string[] = []): Promise<Browser> =>
  chromium.launch({ executablePath: path!, args: ['--no-sandbox', ...args], timeout: 120_000 });

const ortFolder = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')));

/** Makes the functions that a program exports callable, on the page and in a worker, which has the same program. */
const host = (program: string) => `
  import * as functions from ${JSON.stringify(program)};
  if (typeof window === 'undefined') {
    self.onmessage = async ({ data }) => {
      if (!Array.isArray(data)) return;
      const [name, argument] = data;
      try {
        self.postMessage({ value: await functions[name](argument) });
      } catch (error) {
        self.postMessage({ error: error.stack });
      }
    };
  } else {
    window.onPage = (name, argument) => functions[name](argument);
    window.inWorker = (name, argument) => new Promise((resolve, reject) => {
      const worker = new Worker('/host.js', { type: 'module' });
      const end = (settle, value) => { worker.terminate(); settle(value); };
      worker.onmessage = ({ data }) => 'error' in data ? end(reject, new Error(data.error)) : end(resolve, data.value);
      worker.onerror = ({ message }) => end(reject, new Error(message));
      worker.postMessage([name, argument]);
    });
    window.isLoaded = true;
  }`;

/**
 * Bundles a program for browsers, as an app does.
 *
 * @param program The path of a module in TypeScript.
 * @param external Packages that are left out.
 */
export async function bundleForBrowser(program: string, external: readonly string[] = []): Promise<OutputChunk[]> {
  const virtual: RolldownPlugin = {
    name: 'host',
    resolveId: (id) => (id === 'host' ? id : null),
    load: (id) => (id === 'host' ? host(program) : null),
  };
  const build = await rolldown({
    input: { host: 'host' },
    platform: 'browser',
    // What was built, and not the sources, which the paths of tsconfig.json lead to.
    tsconfig: false,
    // The files of ONNX Runtime stay apart, so that its threads load them and not this program.
    resolve: { conditionNames: ['onnxruntime-web-use-extern-wasm', 'browser', 'import', 'default'] },
    external: [...external],
    plugins: [virtual],
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm', minify: true, entryFileNames: '[name].js' });
  return output.filter((file) => file.type === 'chunk');
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

export interface PageOptions {
  /** The program, as `bundleForBrowser` returns it. Without one, the page is the `index.html` of the folder at `/`. */
  readonly program?: readonly OutputChunk[] | undefined;
  /** Folders that are served, by their paths, such as `/model/`. Those of ONNX Runtime are at `/ort/`. */
  readonly folders?: Readonly<Record<string, string>> | undefined;
  /** Whether the page is isolated from other origins, so that threads may share memory. Default true. */
  readonly isolated?: boolean | undefined;
  /** Whether the browser has WebGPU, on the processor if need be. Default false. */
  readonly webgpu?: boolean | undefined;
}

export interface BrowserPage extends AsyncDisposable {
  /** Calls a function that the program exports. Argument and result are copied. */
  onPage<Result>(name: string, argument?: unknown): Promise<Result>;
  /** Calls it in a new module worker. */
  inWorker<Result>(name: string, argument?: unknown): Promise<Result>;
  /** The requests so far: methods and paths. */
  readonly requests: readonly string[];
  /** Loads the page anew. */
  reload(): Promise<void>;
}

/** Serves a program, and opens it on a page of a new browser. */
export async function openPage({
  program = [],
  folders = {},
  isolated = true,
  webgpu = false,
}: PageOptions): Promise<BrowserPage> {
  const roots = Object.entries({ '/ort/': ortFolder, ...folders });
  const code = new Map(program.map((chunk) => [`/${chunk.fileName}`, chunk.code]));
  const isolation = isolated
    ? { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }
    : {};
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url!, 'http://localhost').pathname));
    const url = path === '/' && program.length === 0 ? '/index.html' : path;
    requests.push(`${request.method} ${url}`);
    const send = (type: string, status = 200, headers = {}) =>
      response.writeHead(status, {
        'content-type': types[type] ?? 'application/octet-stream',
        ...isolation,
        ...headers,
      });
    if (url === '/') return send('.html').end('<!doctype html><script type="module" src="/host.js"></script>');
    const chunk = code.get(url);
    if (chunk !== undefined) return send('.js').end(chunk);
    const [prefix, folder] = roots.find(([start]) => url.startsWith(start)) ?? ['', ''];
    const file = join(folder, url.slice(prefix.length));
    const found = folder === '' ? undefined : await stat(file).catch(() => undefined);
    if (!found?.isFile()) return send('.html', 404).end();
    const headers = { 'content-length': found.size, 'last-modified': found.mtime.toUTCString() };
    return createReadStream(file).pipe(send(extname(file), 200, headers));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    server.closeAllConnections();
    server.close();
  };
  try {
    browser = await launchChromium(webgpu ? ['--enable-unsafe-webgpu'] : []);
    const page = await browser.newPage();
    const load = async () => {
      await page.goto(`http://127.0.0.1:${port}/`, { timeout: 120_000 });
      await page.waitForFunction('window.isLoaded', undefined, { timeout: 120_000 });
    };
    await load();
    const call = <Result>(how: string, name: string, argument: unknown = null) =>
      page.evaluate<Result>(`${how}(${JSON.stringify(name)}, ${JSON.stringify(argument)})`);
    return {
      onPage: (name, argument) => call('onPage', name, argument),
      inWorker: (name, argument) => call('inWorker', name, argument),
      requests,
      reload: load,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
