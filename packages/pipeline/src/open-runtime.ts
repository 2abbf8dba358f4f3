import { installAdvice } from '@dalle-mini/core/node';
import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntime, type OnnxRuntimeOptions } from '@dalle-mini/graph/onnxruntime';

/** The devices that models can use. */
export const deviceNames = ['cpu', 'xla-cpu', 'cuda', 'tpu'] as const;

export type DeviceName = (typeof deviceNames)[number];

const xlaPackage = '@dalle-mini/xla';

/**
 * Opens the runtime for a device.
 *
 * @throws XlaError if there is no plugin of XLA for the device, or if it does not work on this computer; Error if
 *   `@dalle-mini/xla` is not installed.
 */
export async function openRuntime(device: DeviceName, options: OnnxRuntimeOptions): Promise<Runtime> {
  if (device === 'cpu') {
    const runtime = new OnnxRuntime(options);
    runtime.start();
    return runtime;
  }
  const { XlaRuntime } = await importXla();
  return XlaRuntime.open({ device: device === 'xla-cpu' ? 'cpu' : device });
}

async function importXla(): Promise<typeof import('@dalle-mini/xla')> {
  try {
    // Not a literal, so that bundlers leave out the package, which most programs do not need.
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ xlaPackage);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error(
      `The package ${xlaPackage}, which computes on GPUs and TPUs, is not found. ${installAdvice(xlaPackage)}`,
      {
        cause: error,
      },
    );
  }
}
