/** The module onnxruntime-web, which a page or a worker initializes once and which computes one thing at a time. */
import { describeValue, OptionError } from '@dalle-mini/core';
import { DeviceLostError } from './device-lost-error.js';
import type { OnnxModule } from './onnxruntime-session.js';
import { OutOfMemoryError } from './out-of-memory-error.js';
import { RuntimeUnavailableError } from './runtime-unavailable-error.js';

/** Where the files of ONNX Runtime are: the URL of their folder, which ends with a slash, or the URL of each. */
export type WasmPaths = string | { readonly mjs?: string | undefined; readonly wasm?: string | undefined };

/** What computes: the processor, or WebGPU. Each is a build of ONNX Runtime. */
export type WebDevice = 'wasm' | 'webgpu';

export interface WebSettings {
  readonly device: WebDevice;
  readonly threads?: number | undefined;
  readonly wasmPaths?: WasmPaths | undefined;
}

interface Loaded {
  readonly settings: WebSettings;
  readonly module: Promise<OnnxModule>;
}

const loaded = new Map<WebDevice, Loaded>();

/**
 * Loads the module with settings.
 *
 * @throws RuntimeUnavailableError if there is no WebAssembly, or if the module cannot be loaded; OptionError if it was loaded with other
 *   settings.
 */
export async function loadOnnxRuntimeWeb(settings: WebSettings): Promise<OnnxModule> {
  if ((globalThis as { readonly WebAssembly?: object }).WebAssembly === undefined) {
    throw new RuntimeUnavailableError(
      'OnnxRuntimeWeb needs WebAssembly, which this browser lacks or has turned off. Use a current browser, or turn it on.',
    );
  }
  const { device } = settings;
  const first = loaded.get(device) ?? { settings, module: importModule(settings) };
  loaded.set(device, first);
  checkSame(first.settings, settings);
  return first.module;
}

interface GpuDevice {
  /** `reason` is `destroyed` if ONNX Runtime closed the device, as it does with its last session. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
}

/** @throws RuntimeUnavailableError if the browser has no WebGPU. */
async function checkWebGpu(): Promise<void> {
  const { navigator } = globalThis as unknown as {
    readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<object | null> } };
  };
  if (await navigator?.gpu?.requestAdapter()) return;
  throw new RuntimeUnavailableError(
    'This browser has no WebGPU, or no GPU that it allows. Use device "wasm", or turn WebGPU on in the settings of the browser.',
  );
}

/** Why the GPU was lost, if it was. */
let lost: string | undefined;
let watched: GpuDevice | undefined;

/** Notes when the GPU of a module is lost. */
export async function watchDevice(module: OnnxModule): Promise<void> {
  const { webgpu } = module.env as { readonly webgpu?: { readonly device?: GpuDevice | Promise<GpuDevice> } };
  const device = await webgpu?.device;
  if (!device || device === watched) return;
  watched = device;
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') lost = message;
  });
}

async function importModule({ device, threads, wasmPaths }: WebSettings): Promise<OnnxModule> {
  let module: OnnxModule;
  try {
    if (device === 'webgpu') await checkWebGpu();
    const build = device === 'webgpu' ? import('onnxruntime-web/webgpu') : import('onnxruntime-web/wasm');
    module = (await build) as OnnxModule;
  } catch (error) {
    loaded.delete(device);
    if (error instanceof RuntimeUnavailableError) throw error;
    throw new RuntimeUnavailableError(
      `OnnxRuntimeWeb needs the package onnxruntime-web, which cannot be loaded: ${messageOf(error)} ` +
        'Install it with "npm install onnxruntime-web", and bundle it with your program.',
      { cause: error },
    );
  }
  const { wasm } = module.env;
  // Threads share memory, which browsers allow only to pages that are isolated from other origins. Node.js has no such rule.
  const { crossOriginIsolated = true } = globalThis as { readonly crossOriginIsolated?: boolean };
  if (!crossOriginIsolated) wasm.numThreads = 1;
  else if (threads !== undefined) wasm.numThreads = threads;
  if (wasmPaths !== undefined) wasm.wasmPaths = wasmPaths as string;
  return module;
}

function checkSame(first: WebSettings, given: WebSettings): void {
  for (const name of ['threads', 'wasmPaths'] as const) {
    if (given[name] === undefined || JSON.stringify(given[name]) === JSON.stringify(first[name])) continue;
    const expected = first[name] === undefined ? 'left out' : describeValue(first[name]);
    throw new OptionError(name, `${expected}, as in the first OnnxRuntimeWeb of this page or worker`, given[name]);
  }
}

let last: Promise<unknown> = Promise.resolve();

/**
 * Does work after all other work of the module, and then gives the event loop a turn: ONNX Runtime resolves by microtasks, so a worker
 * that computes run after run would never receive a message.
 *
 * @param purpose What the work is for, in an error message.
 */
export function inTurn<T>(purpose: string, work: () => Promise<T>): Promise<T> {
  const result = last
    .then(work)
    .catch((error: unknown) => {
      throw explain(purpose, error);
    })
    .finally(nextTask);
  last = result.catch(() => undefined);
  return result;
}

/** Waits for a task of the event loop. Browsers delay those of `setTimeout` by milliseconds. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}

function explain(purpose: string, error: unknown): unknown {
  const message = messageOf(error);
  if (lost !== undefined || /device (is |was )?lost/i.test(message)) {
    return new DeviceLostError(
      `${purpose} failed, because the browser lost the GPU: ${lost || message} Reload the page, or use device "wasm".`,
      { cause: error },
    );
  }
  if (/^no available backend found/.test(message)) {
    return new RuntimeUnavailableError(
      `The files of ONNX Runtime, ort-wasm-simd-threaded.mjs and .wasm, cannot be loaded: ${message} ` +
        'Serve these files of onnxruntime-web/dist, set wasmPaths to their URL, and reload the page.',
      { cause: error },
    );
  }
  if (
    /bad_alloc|out of memory|OOM|failed to allocate|allocation failed|could not allocate|integer overflow/i.test(
      message,
    )
  ) {
    return new OutOfMemoryError(
      `${purpose} needs more memory than WebAssembly can have, 4 GB at most: ${message} ` +
        'Generate fewer images at once, store the model in fewer bits (dtype q8), or close other pages.',
      { cause: error },
    );
  }
  return error;
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
