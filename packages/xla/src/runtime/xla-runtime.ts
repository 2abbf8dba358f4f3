import { join } from 'node:path';
import { DisposedError, integer, object, oneOf, optional, readOptions, refuse, string } from '@dalle-mini/core';
import type { CompileOptions, Graph, Runtime } from '@dalle-mini/graph';
import {
  type DeviceMesh,
  deviceMeshField,
  emitStableHlo,
  type ParameterSharding,
  partition,
  type StableHloOptions,
  shardingField,
} from '@dalle-mini/graph/stablehlo';
import { XlaError } from '../error.js';
import { PjrtClient } from '../pjrt/client.js';
import { PjrtLibrary } from '../pjrt/library.js';
import type { Device } from '../plugins/catalog.js';
import { pluginFor } from '../plugins/choose.js';
import { xlaFolder } from '../plugins/folders.js';
import { type CompiledGraphCache, compileCached } from './compiled-graphs.js';
import { type JoinedHosts, joinXlaHosts, type XlaHosts, xlaHostsField } from './hosts.js';
import { type ExecutableHost, type LoadedModule, XlaExecutable } from './xla-executable.js';

export interface XlaRuntimeOptions {
  /** What computes. Default: what the plugin of `PJRT_PLUGIN_LIBRARY_PATH` uses, or else the processor. */
  readonly device?: Device | undefined;
  /** The path of a plugin's library. Default: the first one for the device that `findPlugins` finds. */
  readonly plugin?: string | undefined;
  /**
   * The element type in which the operands of matrix products and convolutions are multiplied. `bfloat16` is faster on TPUs and GPUs, and
   * less exact. Parameters and all other tensors stay float32. Default `float32`.
   */
  readonly compute?: 'float32' | 'bfloat16' | undefined;
  /**
   * The devices of this computer that train a model together. Graphs that are compiled without `roles` of their inputs are computed on
   * the first device. Default: one device. On processors, any number of devices shares the cores.
   */
  readonly mesh?: DeviceMesh | undefined;
  /** Where the parameters are while a mesh trains. Default `replicated`. */
  readonly sharding?: ParameterSharding | undefined;
  /**
   * The other hosts, whose GPUs are to work with those of this one, for `cuda` only. TPUs find their pod by themselves. Default: this host
   * alone.
   */
  readonly hosts?: XlaHosts | undefined;
  /** Where compiled graphs are kept, so that they are not compiled again. Default: in this user's cache, up to 4 GB. */
  readonly cache?: Partial<CompiledGraphCache> | undefined;
}

const fields = object<XlaRuntimeOptions>(
  {
    device: optional(oneOf(['cpu', 'cuda', 'tpu'])),
    plugin: optional(string()),
    compute: optional(oneOf(['float32', 'bfloat16'])),
    mesh: optional(deviceMeshField),
    sharding: optional(shardingField(['replicated', 'fsdp'])),
    hosts: optional(xlaHostsField),
    cache: optional(
      object<Partial<CompiledGraphCache>>({ folder: optional(string()), maxBytes: optional(integer({ min: 0 })) }),
    ),
  },
  {
    check({ device, hosts }) {
      if (hosts && device !== 'cuda')
        refuse(
          'hosts',
          'left out, unless device is cuda: TPUs find their pod, and processors train together by MPI',
          hosts,
        );
    },
  },
);

/** In bytes. */
const defaultCacheSize = 4e9;

/**
 * Computes graphs with XLA, through a plugin with the PJRT C API, on CPUs, GPUs or TPUs. Compilation and computation run on other threads,
 * so that the event loop stays free.
 *
 * @example
 * ```ts no-run
 * import { input, matmul } from '@dalle-mini/graph';
 * import { XlaRuntime } from '@dalle-mini/xla';
 *
 * const x = input('x', [2, 2]);
 * const runtime = await XlaRuntime.open({ device: 'cpu' });
 * const executable = await runtime.compile({ inputs: { x }, outputs: { y: matmul(x, x) } });
 * const { y } = await executable.run({ x: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } });
 * console.log(y?.data); // Float32Array [ 7, 10, 15, 22 ]
 * await runtime.dispose();
 * ```
 */
export class XlaRuntime implements Runtime, AsyncDisposable {
  readonly name = 'xla';
  /** The path of the plugin's library. */
  readonly plugin: string;
  /** The plugin's version of the PJRT C API, such as `0.115`. */
  readonly version: string;
  /** The platform, as the plugin names it: `cpu`, `cuda` or `tpu`. */
  readonly platform: string;
  /** The kinds of the devices of this computer. */
  readonly devices: readonly string[];
  private isOpen = true;
  private readonly executables = new Set<XlaExecutable>();
  private readonly turns = { compiling: Promise.resolve(), computing: Promise.resolve() };
  private readonly host: ExecutableHost;

  private constructor(
    private readonly client: PjrtClient,
    private readonly options: XlaRuntimeOptions,
    private readonly joined: JoinedHosts | undefined,
  ) {
    this.plugin = client.library.path;
    this.version = client.library.version;
    this.platform = client.platform;
    this.devices = client.deviceKinds;
    this.host = {
      client,
      layoutOf: (graph, { roles }) =>
        roles ? partition(graph, roles, options.mesh ?? {}, options.sharding ?? 'replicated') : {},
      load: (graph, settings) => this.load(graph, settings),
      forget: (executable) => this.executables.delete(executable),
      inTurn: (work) => this.inTurn('computing', work),
    };
  }

  /**
   * Loads a plugin and opens its devices.
   *
   * @throws OptionError if an option is invalid; XlaError if there is no plugin for the device, if it does not work on this computer, or if
   *   koffi is not installed; HostError if another host is missing.
   */
  static async open(options: XlaRuntimeOptions = {}): Promise<XlaRuntime> {
    const read = readOptions(fields, options, 'XlaRuntime.open');
    const library = await PjrtLibrary.load(read.plugin ?? (await pluginFor(read.device)));
    const { data = 1, model = 1 } = read.mesh ?? {};
    const joined = read.hosts && (await joinXlaHosts(read.hosts));
    const client = await openClient(library, data * model, joined).catch(async (error: unknown) => {
      await joined?.leave();
      throw error;
    });
    if (read.device !== undefined && client.platform !== read.device) {
      const { platform } = client;
      await client.dispose();
      await joined?.leave();
      throw new XlaError(
        `The plugin for ${read.device} must compute on ${read.device}, but ${library.path} computes on ${platform}. Use another plugin.`,
      );
    }
    return new XlaRuntime(client, read, joined);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<XlaExecutable> {
    this.checkOpen();
    const executable = await XlaExecutable.create(this.host, graph, options);
    if (!this.isOpen) {
      await executable.dispose();
      this.checkOpen();
    }
    this.executables.add(executable);
    return executable;
  }

  /** Frees everything. Runs that wait are rejected; a running computation cannot be canceled, so it waits for it. */
  async dispose(): Promise<void> {
    this.isOpen = false;
    for (const executable of [...this.executables]) await executable.dispose();
    await this.turns.compiling;
    await this.inTurn('computing', () => this.client.dispose());
    await this.joined?.leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private checkOpen(): void {
    if (!this.isOpen) throw new DisposedError('compile: this runtime was disposed of. Open another one.');
  }

  private load(graph: Graph, settings: StableHloOptions): Promise<LoadedModule> {
    const module = emitStableHlo(graph, { ...settings, compute: this.options.compute });
    const { folder = join(xlaFolder(), 'compiled'), maxBytes = defaultCacheSize } = this.options.cache ?? {};
    // One at a time: a compilation uses many threads and much memory.
    return this.inTurn('compiling', async () => {
      this.checkOpen();
      return { module, executable: await compileCached(this.client, module, { folder, maxBytes }) };
    });
  }

  private inTurn<Result>(kind: keyof XlaRuntime['turns'], work: () => Promise<Result>): Promise<Result> {
    const result = this.turns[kind].then(work);
    this.turns[kind] = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}

/** Opens the devices of a plugin, at least the given number. */
async function openClient(library: PjrtLibrary, devices: number, joined?: JoinedHosts): Promise<PjrtClient> {
  const client = await PjrtClient.create(library, joined?.options, joined?.store);
  const found = client.devices.length;
  if (found >= devices) return client;
  const { platform } = client;
  await client.dispose();
  // On processors, devices are threads.
  if (platform === 'cpu') return PjrtClient.create(library, { cpu_device_count: devices });
  throw new XlaError(`The mesh has ${devices} devices, but this computer has ${found}. Use a smaller mesh.`);
}
