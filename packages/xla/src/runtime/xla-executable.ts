import { DisposedError } from '@dalle-mini/core';
import {
  type BoundInputs,
  type CompileOptions,
  type Executable,
  type Graph,
  GraphError,
  parametersOf,
  type ResidentState,
  type RunOptions,
  type StateBlock,
  type StateDivision,
  sizeOf,
  type Tensor,
  type TensorData,
  type TensorValues,
} from '@dalle-mini/graph';
import {
  type AppendedInput,
  appendedInputs,
  appendsInputs,
  checkBound,
  checkInputs,
  expectedInputs,
} from '@dalle-mini/graph/implementing';
import { readParameterParts } from '@dalle-mini/graph/node';
import {
  type AxisSize,
  evaluateSize,
  type Partition,
  type Sharding,
  type StableHloModule,
  type StableHloOptions,
} from '@dalle-mini/graph/stablehlo';
import { checkParameters, descriptionOf, type StoredDescription, type StoredParameter } from '@dalle-mini/graph/stored';
import { XlaError } from '../error.js';
import type { PjrtClient, PjrtExecutable, StoredData } from '../pjrt/client.js';
import { DeviceBuffer } from './device-buffer.js';
import { resize } from './resize.js';

/** How a graph is divided over devices. Without a mesh, it is computed on the first one. */
export type Layout = Partial<Partition>;

/** A module that is loaded on its devices. */
export interface LoadedModule {
  readonly module: StableHloModule;
  readonly executable: PjrtExecutable;
}

/** What executables of a runtime share. */
export interface ExecutableHost {
  readonly client: PjrtClient;
  /** Returns how a graph is divided over devices. */
  layoutOf(graph: Graph, options: CompileOptions): Layout;
  /** Emits and compiles a graph. */
  load(graph: Graph, options: StableHloOptions): Promise<LoadedModule>;
  /** Called when an executable has freed everything. */
  forget(executable: XlaExecutable): void;
  /** Runs work after all work before it. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** The sizes of dynamic inputs in a run, by the inputs' names. */
type InputSizes = Readonly<Record<string, number>>;

type Buffers = Map<string, DeviceBuffer>;

/** Buffers that each run replaces. */
interface State {
  buffers: Buffers;
  /** Whether a run has failed. It had taken the memory of the state. */
  isLost: boolean;
}

/** What is on the devices of the states that executables hold. */
const residents = new WeakMap<ResidentState, State>();

/** @throws GraphError if the state is not one of XLA, or is lost. */
function buffersOf(resident: ResidentState): Buffers {
  const state = residents.get(resident);
  if (!state) throw new GraphError('run: state must be held by an executable of this runtime.');
  checkNotLost(state);
  return state.buffers;
}

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A graph that XLA has compiled. */
export class XlaExecutable implements Executable {
  private readonly expected: ReadonlyMap<string, Tensor>;
  private readonly layout: Layout;
  /** The forms in which parameters are stored, and the arrays on the device that contain them. */
  private readonly stored: ReadonlyMap<string, StoredDescription>;
  private readonly parameters: Buffers = new Map();
  /** The graph is compiled for each of the ways in which its memory is reused. */
  private readonly loaded = new Map<string, Promise<LoadedModule>>();
  private readonly states = new Set<State>();
  private readonly bound = new Set<Buffers>();
  private isOpen = true;

  private constructor(
    private readonly host: ExecutableHost,
    private readonly graph: Graph,
    options: CompileOptions,
  ) {
    this.expected = expectedInputs(graph, options);
    this.layout = host.layoutOf(graph, options);
    this.stored = new Map([...(options.parameters ?? [])].map(([name, value]) => [name, descriptionOf(value)]));
  }

  static async create(host: ExecutableHost, graph: Graph, options: CompileOptions): Promise<XlaExecutable> {
    const { parameters } = options;
    const declared = parametersOf(Object.values(graph.outputs));
    if (parameters) checkParameters(declared, parameters);
    const executable = new XlaExecutable(host, graph, options);
    try {
      // A graph with inputs that runs append to is compiled for `bind`, and one with inputs that runs replace is compiled on demand:
      // for `holdState` or for `run`, seldom for both.
      const isReplaced = Object.keys(graph.inputs).some((name) => name in graph.outputs);
      const append = appendsInputs(graph);
      if (append || !isReplaced) await executable.load({ append });
      if (parameters) for (const name of declared.keys()) await executable.uploadParameter(name, parameters.get(name)!);
    } catch (error) {
      await executable.dispose();
      throw error;
    }
    return executable;
  }

  async run(
    inputs: TensorValues,
    { transfer = false, state = [] }: RunOptions = {},
  ): Promise<Record<string, TensorData>> {
    const isHeld = (name: string) => !(name in inputs) && state.some(({ names }) => names.has(name));
    return this.runWith(
      new Map([...this.expected].filter(([name]) => !isHeld(name))),
      inputs,
      async (given) => {
        const loaded = await this.load({});
        const held = state.map(buffersOf);
        return this.download(loaded, await this.execute(loaded, [given.buffers, ...held], given.sizes), given.sizes);
      },
      () => {
        if (transfer) detachAll(inputs);
      },
    );
  }

  async bind(inputs: TensorValues): Promise<BoundInputs> {
    this.checkOpen('bind');
    const appended = appendedInputs(this.graph);
    const others = checkBound(this.expected, appended, inputs);
    const bound = this.upload(inputs);
    const state: State = { buffers: new Map(appended.map((input) => [input.name, this.zeros(input)])), isLost: false };
    this.bound.add(bound.buffers);
    this.states.add(state);
    const loaded = await this.load({ append: appended.length > 0 });
    let lengths: InputSizes = Object.fromEntries(appended.map(({ name }) => [name, 0]));
    return {
      run: (rest) =>
        this.runWith(others, rest, async (given) => {
          const sizes = { ...bound.sizes, ...lengths, ...given.sizes };
          const after = appendedLengths(loaded.module, appended, sizes);
          const results = await this.replace(state, loaded, [bound.buffers, given.buffers], sizes);
          lengths = after;
          return this.download(loaded, results, sizes);
        }),
      dispose: () =>
        this.host.inTurn(async () => {
          this.bound.delete(bound.buffers);
          disposeAll(bound.buffers);
          this.free(state);
        }),
    };
  }

  /** Keeps some inputs on the devices from run to run: each output of the same name takes over their memory. */
  async holdState(values: TensorValues, { transfer = false }: RunOptions = {}): Promise<ResidentState> {
    this.checkOpen('holdState');
    const others = new Map([...this.expected].filter(([name]) => !(name in values)));
    checkInputs(new Map([...this.expected].filter(([name]) => name in values)), values);
    const state: State = { buffers: this.upload(values).buffers, isLost: false };
    this.states.add(state);
    if (transfer) detachAll(values);
    const names = new Set(Object.keys(values));
    const loaded = await this.load({ donate: names });
    const resident: ResidentState = {
      names,
      division: this.divisionOf(state),
      run: (inputs) =>
        this.runWith(others, inputs, async (given) => {
          const results = await this.replace(state, loaded, [given.buffers], given.sizes);
          return this.download(loaded, results, given.sizes);
        }),
      read: (wanted = names) =>
        this.host.inTurn(async () => {
          this.checkOpen('read');
          checkNotLost(state);
          const read: Record<string, TensorData> = {};
          for (const name of wanted) read[name] = await state.buffers.get(name)!.download();
          return read;
        }),
      write: (replaced) =>
        this.host.inTurn(async () => {
          this.checkOpen('write');
          checkNotLost(state);
          const written = Object.keys(replaced).filter((name) => names.has(name));
          checkInputs(new Map(written.map((name) => [name, this.expected.get(name)!])), replaced);
          for (const [name, buffer] of this.upload(replaced).buffers) {
            state.buffers.get(name)!.dispose();
            state.buffers.set(name, buffer);
          }
        }),
      dispose: () => this.host.inTurn(async () => this.free(state)),
    };
    residents.set(resident, state);
    return resident;
  }

  /** Returns how a state is divided over devices. Runs do not change it. */
  private divisionOf(state: State): StateDivision | undefined {
    const blocks = [...state.buffers].map(([name, buffer]) => [name, buffer.blocks] as const);
    const devices = [...new Set(blocks.flatMap(([, places]) => [...places.keys()]))].sort((a, b) => a - b);
    if (devices.length <= 1) return undefined;
    return {
      parts: devices.length,
      read: (part) =>
        this.host.inTurn(async () => {
          this.checkOpen('read');
          checkNotLost(state);
          const device = devices[part]!;
          const read: Record<string, StateBlock> = {};
          for (const [name, places] of blocks) {
            const block = places.get(device);
            if (!block) continue;
            read[name] = { starts: block.starts, value: await state.buffers.get(name)!.parts[device]!.download() };
          }
          return read;
        }),
    };
  }

  async dispose(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.host.inTurn(async () => {
      for (const buffers of [this.parameters, ...this.bound]) disposeAll(buffers);
      for (const state of this.states) this.free(state);
      for (const loading of this.loaded.values())
        await loading.then(
          ({ executable }) => executable.dispose(),
          () => undefined,
        );
      this.loaded.clear();
    });
    this.host.forget(this);
  }

  private checkOpen(call: string): void {
    if (!this.isOpen) throw new DisposedError(`${call}: this executable was disposed of. Compile the graph again.`);
  }

  private load(options: { readonly append?: boolean; readonly donate?: ReadonlySet<string> }): Promise<LoadedModule> {
    const key = JSON.stringify([options.append ?? false, [...(options.donate ?? [])].sort()]);
    let loading = this.loaded.get(key);
    if (!loading) {
      loading = this.host.load(this.graph, { ...options, ...this.layout, stored: this.stored });
      this.loaded.set(key, loading);
      loading.catch(() => this.loaded.delete(key));
    }
    return loading;
  }

  /** Copies a parameter to the device as it is stored. */
  private async uploadParameter(name: string, value: StoredParameter): Promise<void> {
    for (const { suffix, ...part } of await readParameterParts(value))
      this.parameters.set(name + suffix, this.put(name + suffix, part));
  }

  private free(state: State): void {
    this.states.delete(state);
    disposeAll(state.buffers);
    state.isLost = true;
  }

  private zeros({ name, dtype, shape }: AppendedInput): DeviceBuffer {
    return this.put(name, { dtype, shape, data: new arrays[dtype](sizeOf(shape)) } as TensorData);
  }

  /** Copies an input or a parameter to the devices that need it, each its part. */
  private put(name: string, value: StoredData): DeviceBuffer {
    const kind = name in this.graph.inputs ? 'input' : 'parameter';
    return this.putDivided(value, this.layout.sharding?.(name, value.shape, kind));
  }

  private putDivided(value: StoredData, sharding: Sharding | undefined): DeviceBuffer {
    return DeviceBuffer.upload(this.host.client, value, { mesh: this.layout.mesh ?? {}, sharding });
  }

  /** Copies values to the devices now: the caller may change them afterwards. */
  private upload(inputs: TensorValues): { readonly buffers: Buffers; readonly sizes: InputSizes } {
    const buffers: Buffers = new Map();
    const sizes: Record<string, number> = {};
    for (const [name, value] of Object.entries(inputs)) {
      const { shape, dynamic } = this.expected.get(name)!;
      if (dynamic) sizes[name] = value.shape[dynamic[0]!]!;
      buffers.set(name, this.put(name, resize(value, shape)));
    }
    return { buffers, sizes };
  }

  /** Checks and uploads the inputs of a run, computes in turn, and disposes of them. */
  private async runWith<Result>(
    expected: ReadonlyMap<string, Tensor>,
    inputs: TensorValues,
    compute: (given: ReturnType<XlaExecutable['upload']>) => Promise<Result>,
    onUploaded = () => {},
  ): Promise<Result> {
    this.checkOpen('run');
    checkInputs(expected, inputs);
    const given = this.upload(inputs);
    onUploaded();
    try {
      return await this.host.inTurn(() => {
        this.checkOpen('run');
        return compute(given);
      });
    } finally {
      disposeAll(given.buffers);
    }
  }

  /** Executes a module whose results replace the buffers of a state, and returns the others. */
  private async replace(
    state: State,
    loaded: LoadedModule,
    others: readonly Buffers[],
    sizes: InputSizes,
  ): Promise<Buffers> {
    checkNotLost(state);
    this.checkSizes(loaded.module, sizes);
    const before = state.buffers;
    state.isLost = before.size > 0;
    const results = await this.execute(loaded, [before, ...others], sizes).finally(() => disposeAll(before));
    state.buffers = new Map([...before.keys()].map((name) => [name, results.get(name)!]));
    for (const name of state.buffers.keys()) results.delete(name);
    state.isLost = false;
    return results;
  }

  private async execute(
    { module, executable }: LoadedModule,
    given: readonly Buffers[],
    sizes: InputSizes,
  ): Promise<Buffers> {
    this.checkSizes(module, sizes);
    // Many inputs have the same size, such as the keys and values of all layers: each size is uploaded once.
    const lengths = new Map(
      [...new Set(Object.values(sizes))].map((size) => [
        size,
        this.putDivided({ dtype: 'int32', shape: [], data: Int32Array.of(size) }, undefined),
      ]),
    );
    try {
      const list = module.arguments.map(({ name, kind }) =>
        kind === 'size'
          ? lengths.get(sizes[name]!)!
          : (this.parameters.get(name) ?? given.find((buffers) => buffers.has(name))!.get(name)!),
      );
      const devices = Array.from({ length: module.devices }, (_, device) => list.map(({ parts }) => parts[device]!));
      const results = await executable.execute(devices);
      return new Map(
        module.results.map((result, i) => {
          const parts = results.map((ofDevice) => ofDevice[i]!);
          return [result.name, new DeviceBuffer(result, { mesh: module.mesh, sharding: result.sharding }, parts)];
        }),
      );
    } finally {
      disposeAll(lengths);
    }
  }

  /** @throws GraphError if dynamic axes of different sizes meet: XLA would compute with their padding. */
  private checkSizes(module: StableHloModule, sizes: InputSizes): void {
    const evaluate = (size: AxisSize) => evaluateSize(size, (name) => sizes[name]!);
    for (const [a, b] of module.equalSizes) {
      if (evaluate(a) === evaluate(b)) continue;
      const names = [...new Set([...a.inputs, ...b.inputs])]
        .map((name) => `${name} of size ${sizes[name]}`)
        .join(' and ');
      throw new GraphError(
        `run: dynamic axes that meet in an operator must have equal sizes, but ${names} give ${evaluate(a)} and ${evaluate(b)}.`,
      );
    }
  }

  /** Copies results from the device, without padding, and disposes of them. */
  private async download(
    { module }: LoadedModule,
    results: Buffers,
    inputSizes: InputSizes,
  ): Promise<Record<string, TensorData>> {
    try {
      const values: Record<string, TensorData> = {};
      for (const { name, shape, sizes } of module.results) {
        const buffer = results.get(name);
        if (!buffer) continue;
        const actual = shape.map((size, axis) => {
          const dynamic = sizes.get(axis);
          return dynamic ? evaluateSize(dynamic, (input) => inputSizes[input]!) : size;
        });
        values[name] = resize(await buffer.download(), actual);
      }
      return values;
    } finally {
      disposeAll(results);
    }
  }
}

/** @throws GraphError if an input that runs append to would become too long; otherwise returns the lengths after the run. */
function appendedLengths(module: StableHloModule, appended: readonly AppendedInput[], sizes: InputSizes): InputSizes {
  return Object.fromEntries(
    appended.map(({ name, axis, shape }) => {
      const size = module.results.find((result) => result.name === name)!.sizes.get(axis)!;
      const length = evaluateSize(size, (input) => sizes[input]!);
      if (length > shape[axis]!)
        throw new GraphError(
          `run: axis ${axis} of input ${name} must have at most ${shape[axis]} elements, not ${length}.`,
        );
      return [name, length];
    }),
  );
}

function checkNotLost({ isLost }: State): void {
  if (isLost)
    throw new XlaError('The state is lost: it was disposed of, or a run failed. Call bind or holdState again.');
}

function disposeAll(buffers: ReadonlyMap<unknown, DeviceBuffer>): void {
  for (const buffer of buffers.values()) buffer.dispose();
}

/** Detaches buffers, as a transfer to another thread does. */
function detachAll(values: TensorValues): void {
  for (const { data } of Object.values(values))
    if (data.buffer.byteLength > 0) structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
}
