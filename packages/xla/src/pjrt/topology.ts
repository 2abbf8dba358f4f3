import type { StableHloModule } from '@dalle-mini/graph/stablehlo';
import { XlaError } from '../error.js';
import { compileOptions } from './compile-options.js';
import { countCollectives } from './hlo.js';
import type { PjrtLibrary, Pointer } from './library.js';
import { namedValues, type PluginOptions, programOf } from './structs.js';

/** What a compiled graph needs of each device's memory, in bytes. */
export interface CompiledMemory {
  /** Inputs and parameters. */
  readonly arguments: number;
  readonly outputs: number;
  /** The part of the outputs that takes over the memory of inputs. */
  readonly aliased: number;
  /** Intermediate values. */
  readonly temporary: number;
  /** The program itself. */
  readonly code: number;
}

/** A module that was compiled for devices that this computer need not have. */
export interface PjrtCompilation {
  readonly memory: CompiledMemory;
  /** Numbers of instructions that send data between devices, by XLA's names; undefined if the plugin does not tell. */
  readonly collectives: Readonly<Record<string, number>> | undefined;
}

/** Devices that a plugin can compile for, whether this computer has them or not. */
export class PjrtTopology {
  /** The ids of the devices. */
  readonly devices: readonly number[];
  /** The number of hosts that the devices belong to. */
  readonly hosts: number;

  private constructor(
    private readonly library: PjrtLibrary,
    private readonly topology: Pointer,
  ) {
    const descriptions = library.pointers(
      library.call('topologyDeviceDescriptions', { topology }),
      'descriptions',
      'count',
    );
    this.devices = descriptions.map((description) =>
      library.call('deviceDescriptionId', { description }).integer('id'),
    );
    this.hosts = new Set(
      descriptions.map((description) =>
        library.call('deviceDescriptionProcessIndex', { description }).integer('index'),
      ),
    ).size;
  }

  /** @throws XlaError if the plugin does not know the topology. */
  static async create(library: PjrtLibrary, name: string, options: PluginOptions = {}): Promise<PjrtTopology> {
    const { list, values } = namedValues(library, options);
    const bytes = new TextEncoder().encode(name);
    const created = await library.callAsync(
      'topologyCreate',
      // An empty name has no address.
      {
        ...(bytes.length > 0 ? { name: bytes } : {}),
        nameSize: bytes.length,
        options: list,
        optionCount: values.length,
      },
      values,
    );
    return new PjrtTopology(library, created.get('topology'));
  }

  /**
   * Compiles a module, on another thread.
   *
   * @throws XlaError if the module is for another number of devices, or if XLA refuses it, such as one that needs more memory than there
   *   is.
   */
  async compile(module: StableHloModule): Promise<PjrtCompilation> {
    const { library, topology, devices } = this;
    if (module.devices !== devices.length)
      throw new XlaError(`The mesh must have the ${devices.length} devices of the topology, not ${module.devices}.`);
    const options = compileOptions(devices.length, devices);
    const compiled = await library.callAsync('compile', {
      topology,
      program: programOf(library, module),
      options,
      optionsSize: options.length,
    });
    const executable = compiled.get('executable');
    try {
      return { memory: memoryOf(library, executable), collectives: collectivesOf(library, executable) };
    } finally {
      library.call('executableDestroy', { executable });
    }
  }

  dispose(): void {
    this.library.call('topologyDestroy', { topology: this.topology });
  }
}

function memoryOf(library: PjrtLibrary, executable: Pointer): CompiledMemory {
  const stats = library.call('executableCompiledMemoryStats', { executable });
  const [code, given, outputs, aliased, temporary] = (
    ['code', 'arguments', 'outputs', 'aliased', 'temporary'] as const
  ).map((field) => stats.count(field)) as [number, number, number, number, number];
  return { code, arguments: given, outputs, aliased, temporary };
}

function collectivesOf(library: PjrtLibrary, executable: Pointer): Record<string, number> | undefined {
  // The first call only tells the size.
  const empty = library.struct('program');
  try {
    library.call('executableOptimizedProgram', { executable, program: empty });
  } catch (error) {
    if (XlaError.isInstance(error) && error.status === 'UNIMPLEMENTED') return undefined;
    throw error;
  }
  const code = new Uint8Array(empty.count('codeSize'));
  const program = library.struct('program', { code, codeSize: code.length });
  library.call('executableOptimizedProgram', { executable, program });
  return countCollectives(code, library.text(program, 'format', 'formatSize'));
}
