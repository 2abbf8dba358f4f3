/** Serves the programs and the models of browser.ts over a network of limited speed. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

export interface BrowserServer {
  readonly url: string;
  /** Bytes that were sent since it was last set to 0. */
  sent: number;
  /** Limits all connections together. No limit where it is `undefined`. */
  megabitsPerSecond: number | undefined;
  close(): void;
}

/** Milliseconds until an answer begins, where the speed is limited. */
const latency = 20;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};
/** What websites compress. Weights would become little smaller. */
const isCompressed = (path: string) => extname(path) in types;

/**
 * Bundles the programs, each a module of this folder, and serves them with folders by their paths, such as `/model/`. Pages are isolated from
 * other origins, so that threads share memory. Programs may be kept by the browser, as those with a hash in their names are.
 */
export async function serve(
  programs: readonly string[],
  folders: Readonly<Record<string, string>>,
): Promise<BrowserServer> {
  const code = await bundle(programs);
  const compressed = new Map<string, Buffer>();
  const state = { sent: 0, megabitsPerSecond: undefined as number | undefined };
  /** When the network will have sent all that was given to it. */
  let free = 0;
  async function* limit(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      if (state.megabitsPerSecond !== undefined) {
        free = Math.max(free, performance.now()) + chunk.length / (125 * state.megabitsPerSecond);
        await delay(free - performance.now());
      }
      state.sent += chunk.length;
      yield chunk;
    }
  }

  const server = createServer(async ({ url, method }, response) => {
    const path = normalize(new URL(url!, 'http://localhost').pathname);
    const program =
      path === '/' ? '<!doctype html><script type="module" src="/browser-page.js"></script>' : code.get(path);
    const [start = '', folder = ''] = Object.entries(folders).find(([start]) => path.startsWith(start)) ?? [];
    const file = join(folder, path.slice(start.length));
    const found = program === undefined && start !== '' ? await stat(file).catch(() => undefined) : undefined;
    if (state.megabitsPerSecond !== undefined) await delay(latency);
    if (program === undefined && !found?.isFile()) return response.writeHead(404).end();
    const isModel = start !== '' && !start.startsWith('/ort');
    const headers = {
      'content-type': types[path === '/' ? '.html' : extname(path)] ?? 'application/octet-stream',
      'cache-control': isModel ? 'no-cache' : 'max-age=31536000, immutable',
      etag: '"measured"',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    };
    if (path === '/' || isCompressed(path)) {
      if (!compressed.has(path)) compressed.set(path, gzipSync(program ?? (await readFile(file))));
      const bytes = compressed.get(path)!;
      response.writeHead(200, { ...headers, 'content-encoding': 'gzip', 'content-length': bytes.length });
      if (method === 'HEAD') return response.end();
      const parts = Array.from({ length: Math.ceil(bytes.length / 2 ** 16) }, (_, i) =>
        bytes.subarray(i * 2 ** 16, (i + 1) * 2 ** 16),
      );
      return pipeline(Readable.from(parts), limit, response).catch(() => undefined);
    }
    response.writeHead(200, { ...headers, 'content-length': found!.size });
    if (method === 'HEAD') return response.end();
    return pipeline(createReadStream(file), limit, response).catch(() => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
}

async function bundle(programs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const build = await rolldown({
    input: programs.map((name) => join(import.meta.dirname, `${name}.js`)),
    platform: 'browser',
    tsconfig: false,
    // Other libraries, which are served as they are.
    external: /^\/peers\//,
    resolve: { conditionNames: ['onnxruntime-web-use-extern-wasm', 'browser', 'import', 'default'] },
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm', minify: true, entryFileNames: '[name].js' });
  return new Map(output.flatMap((file) => (file.type === 'chunk' ? [[`/${file.fileName}`, file.code] as const] : [])));
}
