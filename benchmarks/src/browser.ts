/**
 * Measures a model folder in Chromium, with WebAssembly on one and two threads and with WebGPU, from an empty and from a filled storage of the
 * browser, and in Node.js. Prints a JSON line for each. See README.md.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fromPretrained } from '@dalle-mini/pipeline';
import { type Browser, chromium, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import type { BrowserMeasurement, BrowserTask } from './measurement.js';

const { values: options } = parseArgs({
  options: {
    chromium: { type: 'string', default: process.env.CHROMIUM ?? '/usr/bin/chromium' },
    model: { type: 'string' },
    images: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    /** Of the network while a model is downloaded, in Mbit/s. */
    network: { type: 'string', default: '50' },
    only: { type: 'string', multiple: true },
  },
});
const bundled = dirname(fileURLToPath(import.meta.resolve('@dalle-mini/emoji/model/model.json')));
const folder = options.model ?? bundled;
const [images, rounds] = [Number(options.images), Number(options.rounds)];
const tasks: Record<string, BrowserTask> = {
  'wasm, 1 thread': { device: 'wasm', threads: 1, images, rounds },
  'wasm, 2 threads': { device: 'wasm', threads: 2, images, rounds },
  webgpu: { device: 'webgpu', threads: 1, images, rounds },
};

const server = await serve();
for (const [engine, task] of Object.entries(tasks)) {
  if (options.only && !options.only.includes(engine)) continue;
  const browser = await chromium.launch({
    executablePath: options.chromium,
    args: ['--no-sandbox', '--enable-unsafe-webgpu'],
  });
  try {
    const page = await browser.newPage();
    for (const storage of ['empty', 'filled'] as const) {
      const result = await measure(browser, page, task, storage === 'empty');
      console.log(JSON.stringify({ engine, storage, ...result }));
    }
  } catch (error) {
    console.log(JSON.stringify({ engine, error: (error as Error).message.split('\n')[0] }));
  } finally {
    await browser.close();
  }
}
server.close();
for (const threads of [1, 2]) await measureNode(threads);

/** Opens the page anew, and measures. Without the network's limit where the storage is filled. */
async function measure(
  browser: Browser,
  page: Page,
  task: BrowserTask,
  isLimited: boolean,
): Promise<BrowserMeasurement> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  if (isLimited) {
    const throughput = (Number(options.network) * 1e6) / 8;
    const limits = { offline: false, latency: 20, downloadThroughput: throughput, uploadThroughput: throughput };
    await session.send('Network.emulateNetworkConditions', limits);
  }
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction('window.measure');
  const measured = await page.evaluate<BrowserMeasurement>(`measure(${JSON.stringify(task)})`);
  const peak_rss_mb = await peakOf(browser);
  await session.detach();
  return { ...measured, bytes, peak_rss_mb };
}

/** The largest resident memory of any renderer of the browser, in MB. */
async function peakOf(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const peaks = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]) / 1000);
  return Math.round(Math.max(...peaks));
}

async function measureNode(threads: number): Promise<void> {
  const start = performance.now();
  const model = await fromPretrained(folder, { threads, prepare: images });
  const open_ms = performance.now() - start;
  const times: number[] = [];
  for (let seed = 0; seed <= rounds; seed++) {
    const before = performance.now();
    await model.generate('a red apple', { n: images, seed });
    times.push(performance.now() - before);
  }
  await model.dispose();
  const [first_ms, ...generate_ms] = times;
  console.log(JSON.stringify({ engine: `node, ${threads} threads`, open_ms, first_ms, generate_ms }));
}

/** Serves the page, the files of ONNX Runtime and the model, isolated from other origins, so that threads share memory. */
async function serve() {
  const build = await rolldown({
    input: join(import.meta.dirname, 'browser-page.js'),
    platform: 'browser',
    tsconfig: false,
    resolve: { conditionNames: ['onnxruntime-web-use-extern-wasm', 'browser', 'import', 'default'] },
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm', minify: true, entryFileNames: '[name].js' });
  const code = new Map<string, string>(
    output.flatMap((file) => (file.type === 'chunk' ? [[`/${file.fileName}`, file.code] as const] : [])),
  );
  const ort = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')));
  const types: Readonly<Record<string, string>> = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url!, 'http://localhost').pathname);
    const send = (type: string, length: number) =>
      response.writeHead(200, {
        'content-type': type,
        'content-length': length,
        etag: '"measured"',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      });
    const html = '<!doctype html><script type="module" src="/browser-page.js"></script>';
    if (path === '/') return send('text/html', html.length).end(html);
    const program = code.get(path);
    if (program !== undefined) return send('text/javascript', Buffer.byteLength(program)).end(program);
    const file = path.startsWith('/ort/') ? join(ort, path.slice(5)) : join(folder, path.replace(/^\/model\//, ''));
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) return response.writeHead(404).end();
    send(types[extname(file)] ?? 'application/octet-stream', found.size);
    if (request.method === 'HEAD') return response.end();
    return found.size < 2 ** 20 ? response.end(await readFile(file)) : createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
