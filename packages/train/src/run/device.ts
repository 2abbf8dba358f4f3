/** What a run computes on. */
import { type Fields, oneOf, optional, refuse } from '@dalle-mini/core';
import type { Runtime } from '@dalle-mini/graph';
import { type DeviceMesh, deviceMeshField, type ParameterSharding, shardingField } from '@dalle-mini/graph/stablehlo';
import { type DeviceName, deviceNames, openRuntime } from '@dalle-mini/pipeline';
import { partitionRules } from '@dalle-mini/transformer';

/**
 * What a run computes on. None of it is part of the settings that a checkpoint belongs to: a run may resume on other devices, with
 * results that differ by rounding.
 */
export interface DeviceOptions {
  /**
   * `cpu`: the processor, with ONNX Runtime. `cuda`: GPUs of NVIDIA, `tpu`: TPUs, `xla-cpu`: the processor; these with XLA, which needs
   * the packages `@dalle-mini/xla` and `koffi`, and a plugin: `dalle-mini accelerator install`. Default `cpu`.
   */
  readonly device?: DeviceName | undefined;
  /** The devices of this computer that train together. `data` must divide the batch size. Default: one device. */
  readonly mesh?: DeviceMesh | undefined;
  /**
   * Where the parameters and the optimizer's state are. `replicated`: whole on every device. `fsdp`: divided over the axis `data` of the
   * mesh. `rules`: divided over the axis `model` by the rules with which DALL·E Mega was trained; or rules of your own. Default
   * `replicated`.
   */
  readonly sharding?: 'rules' | ParameterSharding | undefined;
  /**
   * The element type in which matrix products and convolutions are computed. With `bfloat16`, the parameters and the optimizer's state
   * stay float32. Default `float32`.
   */
  readonly compute?: 'float32' | 'bfloat16' | undefined;
}

export const deviceFields: Fields<DeviceOptions> = {
  device: optional(oneOf(deviceNames)),
  mesh: optional(deviceMeshField),
  sharding: optional(shardingField(['replicated', 'fsdp', 'rules'])),
  compute: optional(oneOf(['float32', 'bfloat16'])),
};

const xlaOptions = ['mesh', 'sharding', 'compute'] as const;

/**
 * Checks the devices of a run.
 *
 * @param batchSizeAt The name of the batch size in messages.
 */
export function checkDevice(
  { runtime, ...options }: DeviceOptions & { readonly runtime?: Runtime | undefined },
  batchSize: number,
  batchSizeAt: string,
): void {
  if (runtime && options.device !== undefined) refuse('device', 'left out if runtime is set', options.device);
  const { device = 'cpu', mesh } = options;
  for (const name of xlaOptions) {
    if (device !== 'cpu' || options[name] === undefined) continue;
    if (runtime) refuse(name, 'left out if runtime is set: it is an option of the runtime', options[name]);
    refuse(name, 'left out for the device cpu (the devices xla-cpu, cuda and tpu take it)', options[name]);
  }
  const { data = 1 } = mesh ?? {};
  if (batchSize % data !== 0) refuse(batchSizeAt, `a multiple of mesh.data, ${data}`, batchSize);
}

/** Options with a runtime. */
export type OnRuntime<Options> = Omit<Options, 'runtime'> & { readonly runtime: Runtime };

/** Calls `work` with the given runtime or, if there is none, with one for the device, which is open until `work` has ended. */
export async function onDevice<Options extends DeviceOptions & { readonly runtime?: Runtime | undefined }, Result>(
  options: Options,
  work: (options: OnRuntime<Options>) => Promise<Result>,
): Promise<Result> {
  if (options.runtime) return work({ ...options, runtime: options.runtime });
  const { device = 'cpu', mesh, sharding, compute } = options;
  const runtime = await openRuntime(device, {
    mesh,
    sharding: sharding === 'rules' ? partitionRules : sharding,
    compute,
  });
  try {
    return await work({ ...options, runtime });
  } finally {
    await runtime.dispose();
  }
}
