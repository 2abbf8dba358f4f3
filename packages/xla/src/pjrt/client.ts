import { DisposedError } from '@dalle-mini/core';
import { type Shape, sizeOf, type TensorData } from '@dalle-mini/graph';
import type { StableHloModule } from '@dalle-mini/graph/stablehlo';
import type { Elements, StoredDType } from '@dalle-mini/graph/stored';
import { XlaError } from '../error.js';
import { bufferTypes, onlyDuringCall } from './abi.js';
import { compileOptions } from './compile-options.js';
import type { KeyValueStore } from './key-value-store.js';
import type { PjrtLibrary, Pointer } from './library.js';
import { namedValues, type PluginOptions, programOf } from './structs.js';

/** The type of an array on a device. */
export interface ArrayType {
  readonly dtype: StoredDType;
  readonly shape: Shape;
}

/** An array in the memory of JavaScript. A `TensorData` is one. */
export interface StoredData extends ArrayType {
  readonly data: Elements;
}

/** A client of a plugin: its devices, and what is in their memory. */
export class PjrtClient {
  /** Such as `cpu`. */
  readonly platform: string;
  readonly platformVersion: string;
  readonly devices: readonly Pointer[];
  /** What to free before the client. */
  readonly resources = new Set<Resource>();
  private isOpen = true;

  private constructor(
    readonly library: PjrtLibrary,
    private readonly client: Pointer,
    private readonly store: KeyValueStore | undefined,
  ) {
    const platform = library.call('clientPlatformName', { client });
    this.platform = library.text(platform, 'name', 'nameSize');
    const version = library.call('clientPlatformVersion', { client });
    this.platformVersion = library.text(version, 'version', 'versionSize');
    this.devices = library.pointers(library.call('clientAddressableDevices', { client }), 'devices', 'count');
    if (this.devices.length === 0)
      throw new XlaError(`${library.path} found no device. Check the driver, or use another plugin.`);
  }

  /**
   * @param store The key-value store that the plugin of each of several hosts has.
   * @throws XlaError if the plugin finds no device, or refuses an option.
   */
  static async create(library: PjrtLibrary, options: PluginOptions = {}, store?: KeyValueStore): Promise<PjrtClient> {
    const { list, values } = namedValues(library, options);
    const created = await library
      .callAsync('clientCreate', { options: list, optionCount: values.length, ...callbacksOf(store) }, values)
      .catch((error: unknown) => {
        throw error instanceof XlaError ? noDevice(library, error) : error;
      });
    return new PjrtClient(library, created.get('client'), store);
  }

  /** The kinds of the devices, such as `NVIDIA H100 80GB HBM3`. */
  get deviceKinds(): string[] {
    return this.devices.map((device) => {
      const description = this.library.call('deviceGetDescription', { device }).get('description');
      return this.library.text(this.library.call('deviceDescriptionKind', { description }), 'kind', 'kindSize');
    });
  }

  /** Compiles a module, on another thread. */
  async compile(module: StableHloModule): Promise<PjrtExecutable> {
    this.checkOpen();
    if (module.devices > this.devices.length)
      throw new XlaError(
        `The mesh has ${module.devices} devices, but this computer has ${this.devices.length}. Use a smaller mesh.`,
      );
    const options = compileOptions(module.devices);
    const compiled = await this.library.callAsync('clientCompile', {
      client: this.client,
      program: programOf(this.library, module),
      options,
      optionsSize: options.length,
    });
    return new PjrtExecutable(this, compiled.get('executable'), module);
  }

  /** Loads a module that `serialize` wrote, by this version of the plugin and on the same kind of device. */
  async deserialize(serialized: Uint8Array, module: StableHloModule): Promise<PjrtExecutable> {
    this.checkOpen();
    const loaded = await this.library.callAsync('executableDeserializeAndLoad', {
      client: this.client,
      bytes: serialized,
      bytesSize: serialized.length,
    });
    return new PjrtExecutable(this, loaded.get('executable'), module);
  }

  /** Copies a tensor into the memory of a device. */
  upload({ dtype, shape, data }: StoredData, device = 0): PjrtBuffer {
    this.checkOpen();
    if (data.length !== sizeOf(shape))
      throw new XlaError(`A tensor [${shape}] must have ${sizeOf(shape)} elements, not ${data.length}.`);
    const dimensions = BigInt64Array.from(shape.length > 0 ? shape : [0], BigInt);
    const created = this.library.call('clientBufferFromHostBuffer', {
      client: this.client,
      // An empty array has no address.
      data: data.length > 0 ? data : new Uint8Array(8),
      type: bufferTypes[dtype],
      dimensions,
      dimensionCount: shape.length,
      semantics: onlyDuringCall,
      device: this.devices[device]!,
    });
    const done = created.get('doneWithHostBuffer');
    if (done !== 0n) this.library.call('eventDestroy', { event: done });
    return new PjrtBuffer(this, created.get('buffer'), { dtype, shape });
  }

  checkOpen(): void {
    if (!this.isOpen) throw new DisposedError('The client of XLA was disposed of. Open another one.');
  }

  /** Frees everything. Nothing may be computing. */
  async dispose(): Promise<void> {
    if (!this.isOpen) return;
    for (const resource of [...this.resources]) resource.dispose();
    this.isOpen = false;
    await this.library.callAsync('clientDestroy', { client: this.client });
    await this.store?.dispose();
  }
}

/** Plugins name the device that is missing in their own words: "No jellyfish device found" is a missing TPU. */
const noDevice = ({ path }: PjrtLibrary, error: XlaError): XlaError =>
  new XlaError(
    `${path} cannot open a device of this computer. Check that it has one, and its driver, or choose another device. ${error.message}`,
    { status: error.status, cause: error },
  );

function callbacksOf(store: KeyValueStore | undefined) {
  if (!store) return {};
  const { get, put, tryGet } = store.callbacks;
  return { getCallback: get, putCallback: put, tryGetCallback: tryGet };
}

/** Something in a plugin's memory, which is freed once. */
abstract class Resource {
  private isOpen = true;

  constructor(
    protected readonly client: PjrtClient,
    private readonly address: Pointer,
  ) {
    client.resources.add(this);
  }

  /** Its address. @throws DisposedError if it was freed: XLA would read freed memory. */
  get pointer(): Pointer {
    this.client.checkOpen();
    if (!this.isOpen) throw new DisposedError('A buffer or an executable of XLA was used after it was disposed of.');
    return this.address;
  }

  dispose(): void {
    if (!this.isOpen) return;
    this.free(this.address);
    this.isOpen = false;
    this.client.resources.delete(this);
  }

  protected abstract free(pointer: Pointer): void;
}

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A tensor in the memory of a device. */
export class PjrtBuffer extends Resource {
  constructor(
    client: PjrtClient,
    pointer: Pointer,
    private readonly type: ArrayType,
  ) {
    super(client, pointer);
  }

  /** Checks whether it is a tensor of a client with this type and shape. */
  fits(client: PjrtClient, { dtype, shape }: ArrayType): boolean {
    const { type } = this;
    return this.client === client && type.dtype === dtype && String(type.shape) === String(shape);
  }

  /** Copies the tensor to the memory of JavaScript. */
  async download(): Promise<TensorData> {
    const { dtype, shape } = this.type;
    const data = new arrays[dtype as TensorData['dtype']](sizeOf(shape));
    if (data.length > 0) {
      const { library } = this.client;
      const copying = library.call('bufferToHostBuffer', {
        source: this.pointer,
        destination: data,
        destinationSize: data.byteLength,
      });
      await library.wait(copying.get('event'));
    }
    return { dtype, shape, data } as TensorData;
  }

  protected override free(buffer: Pointer): void {
    this.client.library.call('bufferDestroy', { buffer });
  }
}

/** A compiled module. */
export class PjrtExecutable extends Resource {
  constructor(
    client: PjrtClient,
    pointer: Pointer,
    private readonly module: StableHloModule,
  ) {
    super(client, pointer);
    const count = this.withExecutable((executable) =>
      client.library.call('executableNumOutputs', { executable }).count('count'),
    );
    // Otherwise XLA would write more pointers than there is memory for.
    if (count !== module.results.length) {
      this.dispose();
      throw new XlaError(
        `The executable must have ${module.results.length} results, not ${count}. Compile the graph again.`,
      );
    }
  }

  /**
   * Computes the results.
   *
   * @param inputs The arguments of each device.
   * @returns The results of each device.
   */
  async execute(inputs: readonly (readonly PjrtBuffer[])[]): Promise<PjrtBuffer[][]> {
    const { client, module } = this;
    const { library } = client;
    if (inputs.length !== module.devices)
      throw new XlaError(`The arguments must be for ${module.devices} devices, not ${inputs.length}.`);
    for (const list of inputs) this.checkArguments(list);
    const { koffi } = library;
    const lists = inputs.map((list) =>
      BigUint64Array.from(list.length > 0 ? list.map(({ pointer }) => pointer) : [0n]),
    );
    const outputs = inputs.map(() => new BigUint64Array(Math.max(1, module.results.length)));
    const events = new BigUint64Array(inputs.length);
    await library.callAsync(
      'loadedExecutableExecute',
      {
        executable: this.pointer,
        options: library.struct('executeOptions'),
        arguments: BigUint64Array.from(lists, (list) => koffi.address(list)),
        deviceCount: inputs.length,
        argumentCount: module.arguments.length,
        outputs: BigUint64Array.from(outputs, (list) => koffi.address(list)),
        events,
      },
      [lists, outputs],
    );
    const results = outputs.map((list) =>
      module.results.map((result, i) => new PjrtBuffer(client, list[i]!, this.partOf(result))),
    );
    try {
      for (const event of events) await library.wait(event);
    } catch (error) {
      for (const buffer of results.flat()) buffer.dispose();
      throw error;
    }
    return results;
  }

  /** Returns bytes that `PjrtClient.deserialize` loads faster than the module compiles. */
  serialize(): Uint8Array {
    const { library } = this.client;
    return this.withExecutable((executable) => {
      const serialized = library.call('executableSerialize', { executable });
      const bytes = new Uint8Array(library.read(serialized.get('bytes'), serialized.count('bytesSize')));
      const free = library.koffi.decode(serialized.get('deleter'), library.koffi.proto('void', ['void *'])) as (
        pointer: Pointer,
      ) => void;
      free(serialized.get('serialized'));
      return bytes;
    });
  }

  protected override free(executable: Pointer): void {
    this.client.library.call('loadedExecutableDestroy', { executable });
  }

  private checkArguments(list: readonly PjrtBuffer[]): void {
    const expected = this.module.arguments;
    if (list.length !== expected.length)
      throw new XlaError(`There must be ${expected.length} arguments, not ${list.length}.`);
    for (const [i, argument] of expected.entries()) {
      if (!list[i]!.fits(this.client, this.partOf(argument)))
        throw new XlaError(`Argument ${argument.name} must be a buffer of this client with the type of the module.`);
    }
  }

  /** Returns the type of the part of an argument or a result that is on one device. */
  private partOf({
    dtype,
    shape,
    sharding,
  }: StableHloModule['arguments'][number] | StableHloModule['results'][number]) {
    const { mesh } = this.module;
    const parts = (by: readonly string[]) => by.reduce((product, axis) => product * mesh[axis]!, 1);
    return { dtype, shape: sharding ? shape.map((size, axis) => size / parts(sharding[axis]!)) : shape };
  }

  private withExecutable<Result>(use: (executable: Pointer) => Result): Result {
    const { library } = this.client;
    const executable = library.call('loadedExecutableGetExecutable', { loaded: this.pointer }).get('executable');
    try {
      return use(executable);
    } finally {
      library.call('executableDestroy', { executable });
    }
  }
}
