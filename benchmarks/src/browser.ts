/**
 * Measures the bundled model, and DALL·E Mini with random weights, in Chromium and in Node.js; a text encoder next to transformers.js, and
 * steps of training next to jax-js, in the same browser. See README.md.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fromPretrained } from '@dalle-mini/pipeline';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { serve } from './browser-server.js';
import type {
  BrowserMeasurement,
  BrowserTask,
  BrowserTimes,
  BrowserVisit,
  EncodeTask,
  EncodeTimes,
  StepTask,
  StepTimes,
} from './measurement.js';
import { interpreterOf, median, pathOf, randomModels, writeReport } from './processes.js';

const { values: options } = parseArgs({
  options: {
    chromium: { type: 'string', default: process.env.CHROMIUM ?? '/usr/bin/chromium' },
    rounds: { type: 'string', default: '5' },
    network: { type: 'string', default: '50' },
    work: { type: 'string' },
    peers: { type: 'string' },
    python: { type: 'string' },
    only: { type: 'string', multiple: true, default: ['bundled', 'mini', 'encoders', 'training'] },
    'no-webgpu': { type: 'boolean', default: false },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help || (options.python !== undefined && options.work === undefined)) {
  console.log(`Usage: npm run -w benchmarks browser -- [options]

  --rounds N              calls that are timed. Default 5
  --network N             Mbit/s of visits with an empty storage of the browser. Default 50
  --work FOLDER           where models of random weights are made and kept, 4 GB. Without it, only the bundled model and training
  --peers FOLDER          whose node_modules has @huggingface/transformers and @jax-js/jax
  --python PATH           a Python with torch, transformers, onnx and onnxscript, which makes a BERT; needs --work
  --only NAME             bundled, mini, encoders or training; may be given several times. Default all
  --no-webgpu             leaves out WebGPU, which the processor emulates
  --chromium PATH         Default /usr/bin/chromium
  --out FILE              writes everything that was measured as JSON`);
  process.exit(options.help ? 0 : 2);
}
const rounds = Number(options.rounds);
const network = Number(options.network);
const isWanted = (name: string) => options.only.includes(name);

/** Seconds after which a measurement is given up. A gigabyte of weights, and 256 tokens, take minutes on a busy computer. */
const [patience, miniPatience] = [120, 900];

const bundled = dirname(fileURLToPath(import.meta.resolve('@dalle-mini/emoji/model/model.json')));
const mini = options.work !== undefined && isWanted('mini') ? await makeMini(pathOf(options.work)) : undefined;
const bert = options.work !== undefined && isWanted('encoders') ? await makeBert(pathOf(options.work)) : undefined;
const peers = options.peers === undefined ? undefined : join(pathOf(options.peers), 'node_modules');
const ort = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')));
const server = await serve(['browser-page', 'browser-tasks'], {
  '/ort/': ort,
  '/bundled/': bundled,
  ...(mini && { '/mini/': mini }),
  ...(bert && { '/bert/': bert }),
  ...(peers && { '/peers/': peers, '/ort-there/': join(peers, 'onnxruntime-web/dist') }),
});
const devices = [['wasm', 1], ['wasm', 2], ...(options['no-webgpu'] ? [] : [['webgpu', 1] as const])] as const;
const engineOf = (device: string, threads: number) => (device === 'wasm' ? threadsOf('wasm', threads) : device);
const threadsOf = (name: string, threads: number) => `${name}, ${threads} thread${threads === 1 ? '' : 's'}`;

const models: BrowserMeasurement['models'][number][] = [];
const encoders: BrowserMeasurement['encoders'][number][] = [];
const training: BrowserMeasurement['training'][number][] = [];
let version = '';
let firstHidden: readonly number[] | undefined;
try {
  if (isWanted('bundled')) await measureModel('bundled', bundled);
  if (mini) await measureModel('mini', mini);
  if (isWanted('encoders')) await measureEncoders();
  if (isWanted('training')) await measureTraining();
} finally {
  server.close();
}
const measured: BrowserMeasurement = { network, chromium: version, models, encoders, training };
if (options.out !== undefined) writeReport(options.out, measured);

async function measureModel(model: 'bundled' | 'mini', folder: string): Promise<void> {
  const calls = model === 'mini' ? 1 : rounds;
  for (const [device, threads] of devices) {
    // A processor that emulates a GPU takes hours for DALL·E Mini.
    if (model === 'mini' && device === 'webgpu') continue;
    const engine = engineOf(device, threads);
    const task = { model: `/${model}/`, device, threads, rounds: device === 'webgpu' ? 0 : calls };
    const visits = await tried(() => inBrowser((context) => visitTwice(context, task)));
    models.push({ model, engine, ...visits });
    console.log(`${model}, ${engine}: ${JSON.stringify(visits)}`);
  }
  for (const threads of [1, 2]) {
    const node = await measureNode(folder, threads, calls);
    models.push({ model, engine: threadsOf('Node.js', threads), node });
    console.log(`${model}, ${threadsOf('Node.js', threads)}: ${JSON.stringify(node)}`);
  }
}

/** Opens a page for the first time, with the network's limit, and again. */
async function visitTwice(
  context: BrowserContext,
  task: BrowserTask,
): Promise<{ readonly empty: BrowserVisit; readonly filled: BrowserVisit }> {
  const page = await context.newPage();
  const isMini = task.model === '/mini/';
  const visit = async (limit: number | undefined, rounds: number): Promise<BrowserVisit> => {
    server.sent = 0;
    server.megabitsPerSecond = limit;
    const seconds = isMini ? miniPatience : patience;
    const times = await call<BrowserTimes>(page, seconds, 'measure', { ...task, rounds });
    return { ...times, bytes: server.sent, peak_rss_mb: await peakOf(context.browser()!) };
  };
  // How long the network takes for the gigabyte of DALL·E Mini is known without waiting for it.
  const empty = await visit(isMini ? undefined : network, task.rounds);
  return { empty, filled: await visit(undefined, isMini ? 0 : task.rounds) };
}

/** The largest difference from the hidden states that were computed first. */
function differenceOf(hidden: readonly number[]): number {
  firstHidden ??= hidden;
  return Math.max(...hidden.map((value, i) => Math.abs(value - firstHidden![i]!)));
}

async function measureEncoders(): Promise<void> {
  if (!bert) return console.log('encoders: not measured, without --work and --python');
  for (const library of ['this project', ...(peers ? (['transformers.js'] as const) : [])] as const)
    for (const threads of [1, 2])
      for (const batch of [1, 16]) {
        const task: EncodeTask = { library, threads, batch, rounds: 2 * rounds };
        const times = await tried(() => runTask<EncodeTimes>('encode', task));
        const { rounds: _, ...about } = task;
        const figures = 'ms' in times ? { ...times, hidden: undefined, difference: differenceOf(times.hidden) } : times;
        encoders.push({ ...about, ...figures });
        console.log(`${threadsOf(library, threads)}, ${batch} captions: ${JSON.stringify(figures)}`);
      }
}

async function measureTraining(): Promise<void> {
  for (const model of ['mlp', 'block'])
    for (const [device, threads] of devices)
      for (const library of ['this project', ...(peers ? (['jax-js'] as const) : [])] as const) {
        const steps = device === 'webgpu' ? 3 : 3 + 4 * rounds;
        const task: StepTask = { library, model, device, threads, steps };
        const times = await tried(() => runTask<StepTimes>('train', task));
        const { steps: _, ...about } = task;
        training.push({ ...about, ...times });
        const figures =
          'ms' in times ? `${median(times.ms.slice(1))} ms a step, losses ${times.losses.slice(0, 4)}` : times.error;
        console.log(`${model}, ${library}, ${engineOf(device, threads)}: ${figures}`);
      }
}

function runTask<Result>(name: string, task: EncodeTask | StepTask): Promise<Result> {
  return inBrowser(async (context) => {
    server.megabitsPerSecond = undefined;
    return call<Result>(await context.newPage(), patience, 'runTask', name, task);
  });
}

/** Opens the page anew, and calls one of its functions, which must end within some seconds. */
async function call<Result>(page: Page, seconds: number, name: string, ...values: readonly unknown[]): Promise<Result> {
  await page.goto(server.url);
  await page.waitForFunction(`window.${name}`, undefined, { timeout: 1000 * seconds });
  const given = values.map((value) => JSON.stringify(value)).join();
  const ended = new AbortController();
  try {
    return await Promise.race([
      page.evaluate<Result>(`${name}(${given})`),
      delay(1000 * seconds, undefined, ended).then(() => {
        throw new Error(`did not end in ${seconds} s`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}

/** Runs a browser of its own, whose files are on the disk. */
async function inBrowser<Result>(run: (context: BrowserContext) => Promise<Result>): Promise<Result> {
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: options.chromium,
    args: ['--no-sandbox', ...(options['no-webgpu'] ? [] : ['--enable-unsafe-webgpu'])],
  });
  try {
    version = context.browser()!.version();
    return await run(context);
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function tried<Result>(work: () => Promise<Result>): Promise<Result | { readonly error: string }> {
  try {
    return await work();
  } catch (error) {
    return { error: (error as Error).message.split('\n')[0]! };
  }
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

async function measureNode(
  folder: string,
  threads: number,
  rounds: number,
): Promise<Omit<BrowserTimes, 'longest_frame_ms'>> {
  const start = performance.now();
  const model = await fromPretrained(folder, { threads });
  const open_ms = performance.now() - start;
  const rows: number[] = [];
  const generate = async (seed: number) => {
    const before = performance.now();
    let last = before;
    const onProgress = () => {
      rows.push(performance.now() - last);
      last = performance.now();
    };
    await model.generate('a red apple', { seed, onProgress });
    return performance.now() - before;
  };
  await generate(0);
  const first_image_ms = performance.now() - start;
  rows.length = 0;
  const generate_ms: number[] = [];
  for (let round = 1; round <= rounds; round++) generate_ms.push(await generate(round));
  const token_ms = median(rows) / model.imageTokenizer.gridSize;
  await model.dispose();
  return { first_image_ms, open_ms, generate_ms, token_ms };
}

/** Converts a release of random weights to 8 bits. Returns the model folder. */
async function makeMini(work: string): Promise<string> {
  const { model, vqgan } = randomModels(work, 'mini');
  await using _ = await fromPretrained(model, { vqgan, dtype: 'q8', prepare: 0 });
  const converted = join(model, 'converted');
  return join(converted, (await readdir(converted)).find((name) => name.endsWith('-q8'))!);
}

/** Makes a BERT of random weights of the size of the bundled model's text encoder, in the files of both libraries. */
async function makeBert(work: string): Promise<string | undefined> {
  const folder = join(work, 'bert');
  if (existsSync(join(folder, 'onnx/model.onnx'))) return folder;
  if (options.python === undefined) return undefined;
  const program = fileURLToPath(new URL('../peers/export_bert.py', import.meta.url));
  const given = ['--config', join(bundled, 'text-encoder'), '--out', folder];
  const made = spawn(interpreterOf(options.python), [program, ...given], { stdio: ['ignore', 2, 2] });
  const status = await new Promise((resolve) => made.once('close', resolve));
  if (status !== 0)
    throw new Error(`export_bert.py ended with ${status}. Install torch, transformers, onnx and onnxscript.`);
  return folder;
}
