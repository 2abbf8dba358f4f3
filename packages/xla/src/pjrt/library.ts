import { realpath } from 'node:fs/promises';
import { isSystemError, openFile } from '@dalle-mini/core/node';
import { XlaError } from '../error.js';
import {
  apiMajor,
  apiMinorAtLeast,
  functions,
  type PjrtFunction,
  statuses,
  structs,
  tableOffset,
  versionOffset,
} from './abi.js';
import { hasGoogleDevice } from './google-device.js';
import { type Koffi, keepLoaded, loadKoffi } from './koffi.js';

/** The address of something in a plugin's memory. */
export type Pointer = bigint;

/** What a field of a struct may be set to: memory and structs become their addresses. */
export type FieldValue = bigint | number | ArrayBufferView | Struct;

/**
 * A plugin that is newer than the header may have added fields to a struct, and refuse a smaller one. Zeros are the defaults of all fields,
 * and older plugins accept a struct that is too large.
 */
const room = 128;

/** A struct of the C API. It keeps the memory that its fields point to. */
export class Struct<Field extends string = string> {
  private readonly view: DataView;
  private readonly memory: unknown[] = [];

  constructor(
    private readonly koffi: Koffi,
    private readonly layout: PjrtFunction<Field>,
    values: Partial<Record<NoInfer<Field>, FieldValue>> = {},
  ) {
    const size = layout.size + room;
    this.view = new DataView(new ArrayBuffer(size));
    this.view.setBigUint64(0, BigInt(size), true);
    for (const [field, value] of Object.entries(values) as [Field, FieldValue][]) this.set(field, value);
  }

  get address(): Pointer {
    return this.koffi.address(new Uint8Array(this.view.buffer));
  }

  /** The bytes, as an element of an array of structs. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.view.buffer, 0, this.layout.size);
  }

  get(field: Field): Pointer {
    return this.view.getBigUint64(this.layout.fields[field], true);
  }

  /** Reads a field that is a count. */
  count(field: Field): number {
    return Number(this.get(field));
  }

  /** Reads a field that has four bytes, or one. */
  integer(field: Field, bytes: 1 | 4 = 4): number {
    const offset = this.layout.fields[field];
    return bytes === 1 ? this.view.getUint8(offset) : this.view.getInt32(offset, true);
  }

  private set(field: Field, value: FieldValue): void {
    const offset = this.layout.fields[field];
    if (typeof value === 'bigint') this.view.setBigUint64(offset, value, true);
    else if (typeof value === 'number') this.view.setBigInt64(offset, BigInt(value), true);
    else {
      this.memory.push(value);
      this.view.setBigUint64(offset, value instanceof Struct ? value.address : this.koffi.address(value), true);
    }
  }
}

type Functions = typeof functions;
export type FunctionName = keyof Functions;
type Fields<Name extends FunctionName> = keyof Functions[Name]['fields'] & string;
type Values<Name extends FunctionName> = Partial<Record<Fields<Name>, FieldValue>>;

type NativeFunction = ((argument: Pointer) => Pointer | null) & {
  async(argument: Pointer, callback: (error: Error | null, result: Pointer | null) => void): void;
};

/** A loaded plugin: a library with PJRT's functions. */
export class PjrtLibrary {
  private static readonly opened = new Map<string, Promise<PjrtLibrary>>();
  /** The version of the plugin's API, such as `0.115`. */
  readonly version: string;
  private readonly table: readonly Pointer[];
  /** The memory of running calls. */
  private readonly inUse = new Set<readonly unknown[]>();
  private readonly bound = new Map<FunctionName, NativeFunction>();

  private constructor(
    readonly koffi: Koffi,
    readonly path: string,
    handle: ReturnType<Koffi['load']>,
    private readonly prototype: ReturnType<Koffi['proto']>,
  ) {
    const api = handle.func('GetPjrtApi', 'void *', [])() as Pointer | null;
    if (!api) throw new XlaError(`${path} must give the functions of PJRT, and gives none. Use another plugin.`);
    const head = new DataView(this.read(api, tableOffset));
    const [major, minor] = [head.getInt32(versionOffset, true), head.getInt32(versionOffset + 4, true)];
    this.version = `${major}.${minor}`;
    if (major !== apiMajor || minor < apiMinorAtLeast) {
      throw new XlaError(
        `${path} must have version ${apiMajor}.${apiMinorAtLeast} or later of PJRT's API, below ${apiMajor + 1}, not ${this.version}. Use another plugin.`,
      );
    }
    const size = Number(head.getBigUint64(0, true));
    this.table = [...new BigUint64Array(this.read(api, size - (size % 8)).slice(tableOffset))];
  }

  /**
   * Loads a plugin, once in a process: it stays loaded.
   * @throws XlaError if it is not a plugin, or one of another version; FileError if it cannot be read.
   */
  static async load(path: string): Promise<PjrtLibrary> {
    // The system's loader looks for a name without a slash elsewhere, and does not say why a file is missing.
    await (await openFile(path)).close();
    const real = await realpath(path);
    const known = PjrtLibrary.opened.get(real);
    if (known) return known;
    const loading = PjrtLibrary.open(real);
    PjrtLibrary.opened.set(real, loading);
    loading.catch(() => PjrtLibrary.opened.delete(real));
    return loading;
  }

  private static async open(path: string): Promise<PjrtLibrary> {
    const koffi = await loadKoffi();
    // Otherwise each client writes notes to the standard error.
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
    // Otherwise libtpu asks the services of Google Cloud about its TPU for minutes, wherever they do not answer.
    if (!(await hasGoogleDevice())) process.env.TPU_SKIP_MDS_QUERY ??= '1';
    try {
      const handle = koffi.load(path);
      keepLoaded(koffi, path);
      const library = new PjrtLibrary(koffi, path, handle, koffi.proto('void *', ['void *']));
      library.call('pluginInitialize', {});
      return library;
    } catch (error) {
      if (error instanceof XlaError || isSystemError(error)) throw error;
      throw new XlaError(`${path} is not a plugin of XLA that works here: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Copies memory of the plugin. */
  read(from: Pointer, bytes: number): ArrayBuffer {
    return bytes === 0 ? new ArrayBuffer(0) : this.koffi.view(from, bytes).slice(0);
  }

  /** Reads text from two fields, its address and its size. */
  text<Field extends string>(struct: Struct<Field>, at: NoInfer<Field>, size: NoInfer<Field>): string {
    return Buffer.from(this.read(struct.get(at), struct.count(size))).toString();
  }

  /** Reads an array of pointers from two fields, its address and its length. */
  pointers<Field extends string>(struct: Struct<Field>, at: NoInfer<Field>, count: NoInfer<Field>): Pointer[] {
    return [...new BigUint64Array(this.read(struct.get(at), 8 * struct.count(count)))];
  }

  /** Makes a struct that others point to. */
  struct<Name extends keyof typeof structs>(name: Name, values: Record<string, FieldValue> = {}): Struct {
    return new Struct(this.koffi, structs[name] as PjrtFunction, values);
  }

  /** Calls a function, which must be short. */
  call<Name extends FunctionName>(name: Name, values: Values<Name>): Struct<Fields<Name>> {
    const struct = this.structOf(name, values);
    this.check(this.function(name)(struct.address));
    return struct;
  }

  /**
   * Calls a function on another thread, so that the event loop stays free.
   *
   * @param memory What the fields point to indirectly. It must not be garbage-collected during the call.
   */
  async callAsync<Name extends FunctionName>(
    name: Name,
    values: Values<Name>,
    memory: unknown = undefined,
  ): Promise<Struct<Fields<Name>>> {
    const struct = this.structOf(name, values);
    const used = [struct, memory];
    this.inUse.add(used);
    let error: Pointer | null;
    try {
      error = await new Promise((resolve, reject) => {
        this.function(name).async(struct.address, (failure, result) => (failure ? reject(failure) : resolve(result)));
      });
    } finally {
      this.inUse.delete(used);
    }
    this.check(error);
    return struct;
  }

  /** Waits for an event, and frees it. */
  async wait(event: Pointer): Promise<void> {
    if (event === 0n) return;
    try {
      const isReady = this.call('eventIsReady', { event }).integer('isReady', 1) !== 0;
      // Of an event that is ready, this call only reads the error.
      if (isReady) this.call('eventAwait', { event });
      else await this.callAsync('eventAwait', { event });
    } finally {
      this.call('eventDestroy', { event });
    }
  }

  private structOf<Name extends FunctionName>(name: Name, values: Values<Name>): Struct<Fields<Name>> {
    return new Struct(this.koffi, functions[name] as PjrtFunction<Fields<Name>>, values);
  }

  private function(name: FunctionName): NativeFunction {
    const known = this.bound.get(name);
    if (known) return known;
    const pointer = this.table[functions[name].slot];
    if (!pointer)
      throw new XlaError(`${this.path}, of version ${this.version} of PJRT's API, lacks ${name}. Use another plugin.`);
    const made = this.koffi.decode(pointer, this.prototype) as NativeFunction;
    this.bound.set(name, made);
    return made;
  }

  /** Throws an error that a function returned. */
  private check(error: Pointer | null): void {
    if (!error) return;
    // These two functions return nothing.
    const message = this.structOf('errorMessage', { error });
    this.function('errorMessage')(message.address);
    const text = this.text(message, 'message', 'messageSize');
    const code = this.structOf('errorGetCode', { error });
    const status = this.function('errorGetCode')(code.address) ? '' : (statuses[code.integer('code')] ?? '');
    this.function('errorDestroy')(this.structOf('errorDestroy', { error }).address);
    throw new XlaError(`XLA: ${text}`, { status });
  }
}
