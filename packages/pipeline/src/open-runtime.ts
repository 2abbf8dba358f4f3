import { installAdvice } from '@dalle-mini/core/node';
import { type Runtime, RuntimeUnavailableError } from '@dalle-mini/graph';
import { OnnxRuntime, type OnnxRuntimeOptions } from '@dalle-mini/graph/onnxruntime';
import type { DeviceMesh, ParameterSharding } from '@dalle-mini/graph/stablehlo';

/** The devices that models can use. */
export const deviceNames = ['cpu', 'xla-cpu', 'cuda', 'tpu'] as const;

/** `cpu`: the processor, with ONNX Runtime. `cuda`: GPUs of NVIDIA, `tpu`: TPUs, `xla-cpu`: the processor; these with XLA. */
export type DeviceName = (typeof deviceNames)[number];

/** Options of the runtime: `threads` and `cache` of ONNX Runtime, the others of XLA. Those of the other runtime are ignored. */
export interface OpenRuntimeOptions extends Pick<OnnxRuntimeOptions, 'threads' | 'cache'> {
  /** The devices of this computer that train a model together. Default: one device. */
  readonly mesh?: DeviceMesh | undefined;
  /** Where the parameters are while a mesh trains. Default `replicated`. */
  readonly sharding?: ParameterSharding | undefined;
  /** The element type in which matrix products and convolutions are computed. Default `float32`. */
  readonly compute?: 'float32' | 'bfloat16' | undefined;
}

const xlaPackage = '@dalle-mini/xla';

/**
 * Opens the runtime for a device. All but `cpu` need the packages `@dalle-mini/xla` and `koffi`, and a plugin:
 * `dalle-mini accelerator install`.
 *
 * @throws XlaError if there is no plugin of XLA for the device, or if it does not work on this computer; RuntimeUnavailableError if
 *   `@dalle-mini/xla` is not installed.
 *
 * @example
 * ```ts
 * import { openRuntime } from '@dalle-mini/pipeline';
 *
 * const runtime = await openRuntime('cpu', { threads: 1 });
 * console.log(runtime.name);
 * await runtime.dispose();
 * ```
 */
export async function openRuntime(device: DeviceName, options: OpenRuntimeOptions = {}): Promise<Runtime> {
  const { threads, cache, ...ofXla } = options;
  if (device === 'cpu') {
    const runtime = new OnnxRuntime({ threads, cache });
    runtime.start();
    return runtime;
  }
  const { XlaRuntime } = await importXla();
  return XlaRuntime.open({ ...ofXla, device: device === 'xla-cpu' ? 'cpu' : device });
}

async function importXla(): Promise<typeof import('@dalle-mini/xla')> {
  try {
    // Not a literal, so that bundlers leave out the package, which most programs do not need.
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ xlaPackage);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause;
    throw new RuntimeUnavailableError(
      `The package ${xlaPackage}, which computes on GPUs and TPUs, is not found. ${installAdvice(xlaPackage)}`,
      { cause },
    );
  }
}
