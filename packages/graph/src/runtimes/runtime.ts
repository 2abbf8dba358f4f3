import { boolean, type Fields, implementation, optional } from '@dalle-mini/core';
import { GraphError } from '../graph-error.js';
import { describe } from '../operation.js';
import { sizeOf } from '../shape.js';
import type { StoredParameter } from '../stored/stored-parameter.js';
import type { Graph, Shape, Tensor, TensorData } from '../tensor.js';
import { parametersOf } from '../traversal.js';

export type TensorValues = Readonly<Record<string, TensorData>>;

export interface CompileOptions {
  /** The values of the parameters. By default each run takes them as inputs, by their names, as training does. */
  readonly parameters?: ReadonlyMap<string, StoredParameter> | undefined;
  /** What tensors are, for a runtime that divides a graph over several devices. Other runtimes ignore it. */
  readonly roles?: TensorRoles | undefined;
  /**
   * Whether it runs once where another graph with the same parameters runs many times. ONNX Runtime then computes with parameters in files as they
   * are, instead of a copy in the order that suits the processor: it opens faster and takes less memory, and a run takes longer. Other
   * runtimes ignore it. Default false.
   */
  readonly runsOnce?: boolean | undefined;
}

/** What tensors of a graph are. Inputs without a role are needed whole on every device. */
export interface TensorRoles {
  /** For each input that is a batch: the axis of its samples, which several devices may share out. */
  readonly sampleAxes: Readonly<Record<string, number>>;
  /**
   * For each input that is the value of a parameter or belongs to one, such as the state of an optimizer: the name of the parameter.
   * Devices hold the same part of both.
   */
  readonly parameterOf: ReadonlyMap<string, string>;
  /** Tensors inside of the graph that have the values of a parameter, with its name. */
  readonly values: ReadonlyMap<Tensor, string>;
  /** Tensors inside of the graph that are the gradients by a parameter, with its name. */
  readonly gradients: ReadonlyMap<Tensor, string>;
  /** Tensors inside of the graph to which small ones of several parameters are joined. */
  readonly joined: ReadonlySet<Tensor>;
}

export interface RunOptions {
  /** Transfers the values' buffers instead of copying them; they are empty afterwards. Use it for large state that runs replace. */
  readonly transfer?: boolean | undefined;
  /**
   * State that executables of the same runtime hold. Inputs that are in it need not be given, and it does not change. Runtimes without
   * `holdState` do not take it.
   */
  readonly state?: readonly ResidentState[] | undefined;
}

/** A compiled graph. */
export interface Executable {
  /**
   * Computes the outputs. The runs of a runtime are computed one after the other, on another thread if the runtime has one.
   *
   * @throws GraphError if an input is missing or unknown, or has another type or shape than the graph's.
   */
  run(inputs: TensorValues, options?: RunOptions): Promise<Record<string, TensorData>>;
  /**
   * Binds some of the inputs for many runs, so that they are sent to the runtime's thread only once. An input with a dynamic axis and an
   * output of the same name is appended to, as a KV cache needs: it starts empty, and each run appends that output.
   *
   * @throws GraphError if an input is unknown, has another type or shape than the graph's, or is one that runs append to, or if an
   *   appended output does not fit.
   */
  bind(inputs: TensorValues): Promise<BoundInputs>;
  /**
   * Keeps some inputs in the runtime's memory from run to run. Each run replaces them by the outputs of the same names: training needs the
   * memory of its state once. Runtimes that compute in the memory of JavaScript lack it; `holdState` of `@dalle-mini/graph/training` works
   * with every runtime.
   *
   * @param values The first values of the state.
   * @throws GraphError if a value does not fit its input, or if an input has no output of the same name, type and shape.
   */
  holdState?(values: TensorValues, options?: RunOptions): Promise<ResidentState>;
  /** Frees the compiled graph. */
  dispose(): Promise<void>;
}

/** Inputs that are bound to a compiled graph. */
export interface BoundInputs {
  /**
   * Computes the outputs, and appends those that belong to an input instead of returning them.
   *
   * @param inputs The inputs that are not bound.
   * @throws GraphError as `Executable.run` does, and if an appended input is full.
   */
  run(inputs: TensorValues): Promise<Record<string, TensorData>>;
  /** Frees the bound inputs. */
  dispose(): Promise<void>;
}

/** State that runs replace, such as the parameters and the optimizer's state in training. */
export interface ResidentState {
  readonly names: ReadonlySet<string>;
  /**
   * Computes the outputs, and replaces the state by the outputs of the same names.
   *
   * @param inputs The inputs that are not state. Their buffers may be transferred, and are empty afterwards.
   * @returns The outputs that are not state.
   */
  run(inputs: TensorValues): Promise<Record<string, TensorData>>;
  /**
   * Returns the state, as for a checkpoint. Its arrays are valid until the next run.
   *
   * @param names What to return. Default: all.
   */
  read(names?: Iterable<string>): Promise<Record<string, TensorData>>;
  /**
   * Replaces a part of the state.
   *
   * @throws GraphError if a value is not of the state, or has another type or shape.
   */
  write(values: TensorValues): Promise<void>;
  /** How the state is divided over devices. Undefined if one device has all of it. */
  readonly division?: StateDivision | undefined;
  /** Frees the state. */
  dispose(): Promise<void>;
}

/** State in parts, each on a device of its own. */
export interface StateDivision {
  /** The number of parts. Together they have each element once. */
  readonly parts: number;
  /** Returns what a part has of the tensors of the state, by name. */
  read(part: number): Promise<Record<string, StateBlock>>;
}

/** What a part of a state has of a tensor. */
export interface StateBlock {
  /** The index in the whole tensor of its first element. */
  readonly starts: Shape;
  readonly value: TensorData;
}

/** Compiles and computes graphs. */
export interface Runtime {
  readonly name: string;
  compile(graph: Graph, options?: CompileOptions): Promise<Executable>;
  /** Frees everything. */
  dispose(): Promise<void>;
}

/** Options of all that computes on a runtime. */
export interface RuntimeOwnership {
  /** The runtime. Several models may share it. */
  readonly runtime: Runtime;
  /** Whether `dispose` disposes of the runtime too. Default false. */
  readonly ownsRuntime?: boolean | undefined;
}

export const runtimeField = implementation<Runtime>('a Runtime', ['compile', 'dispose']);

export const runtimeOwnershipFields = {
  runtime: runtimeField,
  ownsRuntime: optional(boolean(), false),
} satisfies Fields<RuntimeOwnership>;

/** Returns the inputs of a run: the graph's inputs, and its parameters unless the graph is compiled with them. */
export function expectedInputs(graph: Graph, options: CompileOptions): ReadonlyMap<string, Tensor> {
  const parameters = options.parameters ? [] : parametersOf(Object.values(graph.outputs));
  return new Map([...Object.entries(graph.inputs), ...parameters]);
}

/** Checks that the inputs are those that a graph expects. */
export function checkInputs(expected: ReadonlyMap<string, Tensor>, inputs: TensorValues): void {
  for (const [name, tensor] of expected) {
    const { dtype, shape, dynamic = [] } = tensor;
    const value = inputs[name];
    const wanted = describe(tensor);
    if (!value) throw new GraphError(`run: input ${name}, ${wanted}, is missing.`);
    const fits = (size: number, axis: number) =>
      size === shape[axis] || (dynamic.includes(axis) && size < shape[axis]!);
    if (
      value.dtype !== dtype ||
      value.shape.length !== shape.length ||
      !value.shape.every(fits) ||
      value.data.length !== sizeOf(value.shape)
    ) {
      throw new GraphError(
        `run: input ${name} must be ${wanted}, not ${value.dtype}[${value.shape.join(', ')}] of ${value.data.length} elements.`,
      );
    }
  }
  for (const name of Object.keys(inputs)) {
    if (!expected.has(name))
      throw new GraphError(`run: ${name} must be an input of the graph: ${[...expected.keys()].join(', ')}.`);
  }
}
