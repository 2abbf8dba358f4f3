import { object, oneOf, optional, readOptions, string } from '@dalle-mini/core';
import type { Graph } from '@dalle-mini/graph';
import { emitStableHlo, type StableHloOptions } from '@dalle-mini/graph/stablehlo';
import { PjrtLibrary } from '../pjrt/library.js';
import { type PjrtCompilation, PjrtTopology } from '../pjrt/topology.js';
import type { Device } from '../plugins/catalog.js';
import { pluginFor } from '../plugins/choose.js';

export type { CompiledMemory, PjrtCompilation as CompiledGraph } from '../pjrt/topology.js';

export interface XlaTopologyOptions {
  /** What the devices are. */
  readonly device: Device;
  /**
   * The devices, as the plugin names them: `v3:2x2` are four chips of TPU v3, `1x2x8` are two hosts with eight GPUs each.
   */
  readonly topology: string;
  /** The kind of GPU, as text of XLA's `GpuTargetConfigProto`. Only CUDA needs it. */
  readonly targetConfig?: string | undefined;
  /** The path of a plugin's library. Default: the first one for the device that `findPlugins` finds. */
  readonly plugin?: string | undefined;
}

const fields = object<XlaTopologyOptions>({
  device: oneOf(['cpu', 'cuda', 'tpu']),
  topology: string(),
  targetConfig: optional(string()),
  plugin: optional(string()),
});

/**
 * Compiles graphs for devices that this computer need not have, to see whether they compile and how much memory they need.
 *
 * The plugin for CUDA needs the variable `XLA_FLAGS=--xla_gpu_autotune_level=0` where there is no GPU.
 *
 * @example
 * ```ts no-run
 * import { input, matmul } from '@dalle-mini/graph';
 * import { XlaTopology } from '@dalle-mini/xla';
 *
 * const topology = await XlaTopology.open({ device: 'tpu', topology: 'v3:2x2' });
 * const x = input('x', [8192, 8192]);
 * const { memory } = await topology.compile(
 *   { inputs: { x }, outputs: { y: matmul(x, x) } },
 *   { mesh: { data: topology.devices }, sharding: () => [['data'], []] },
 * );
 * console.log(memory.arguments); // 33554432 bytes on each of the 8 devices
 * topology.dispose();
 * ```
 */
export class XlaTopology {
  /** The number of devices. */
  readonly devices: number;
  /** The number of hosts that the devices belong to. */
  readonly hosts: number;

  private constructor(private readonly topology: PjrtTopology) {
    this.devices = topology.devices.length;
    this.hosts = topology.hosts;
  }

  /**
   * Loads a plugin and describes devices to it.
   *
   * @throws OptionError if an option is invalid; XlaError if there is no plugin for the device, or if it does not know the topology.
   */
  static async open(options: XlaTopologyOptions): Promise<XlaTopology> {
    const { device, topology, targetConfig, plugin } = readOptions(fields, options, 'XlaTopology.open');
    const library = await PjrtLibrary.load(plugin ?? (await pluginFor(device)));
    // The CUDA plugin takes both as options, and libtpu the name.
    const described =
      device === 'cuda'
        ? await PjrtTopology.create(library, '', {
            topology,
            ...(targetConfig === undefined ? {} : { target_config: targetConfig }),
          })
        : await PjrtTopology.create(library, topology);
    return new XlaTopology(described);
  }

  /**
   * Emits and compiles a graph, on another thread.
   *
   * @throws GraphError if an option does not fit the graph; XlaError if the mesh has another number of devices than the topology, or if
   *   XLA refuses the graph, such as one that needs more memory than a device has.
   */
  async compile(graph: Graph, options: StableHloOptions = {}): Promise<PjrtCompilation> {
    return this.topology.compile(emitStableHlo(graph, options));
  }

  /** Frees the description. Nothing may be compiling. */
  dispose(): void {
    this.topology.dispose();
  }
}
