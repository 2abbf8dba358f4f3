import { GraphError } from '../graph-error.js';
import { describe } from '../operation.js';
import { sizeOf } from '../shape.js';
import type { StoredParameter } from '../stored/stored-parameter.js';
import type { Graph, Tensor, TensorData } from '../tensor.js';
import { parametersOf } from '../traversal.js';

export type TensorValues = Readonly<Record<string, TensorData>>;

export interface CompileOptions {
  /** The parameters' values. Without them each run takes them as inputs, by their names: as training does. */
  readonly parameters?: ReadonlyMap<string, StoredParameter> | undefined;
}

export interface RunOptions {
  /** Gives the inputs' buffers away instead of copying them: they are empty afterwards. For large state that the run replaces. */
  readonly transfer?: boolean | undefined;
}

/** A compiled graph. */
export interface Executable {
  /**
   * Computes the outputs. Runs of one runtime are computed one after the other, off the calling thread where there is one.
   *
   * @throws GraphError if an input is missing, unknown, or of another type or shape than the graph's.
   */
  run(inputs: TensorValues, options?: RunOptions): Promise<Record<string, TensorData>>;
  /**
   * Takes some of the inputs for many runs, so that they need not cross to its thread at each. Inputs with a dynamic
   * axis and an output of their name grow: they begin with nothing, and append what that output gives after each run.
   *
   * @throws GraphError if an input is unknown, of another type or shape than the graph's, grows, or has such an output that does not fit.
   */
  bind(inputs: TensorValues): Promise<BoundInputs>;
  /** Frees what was compiled. */
  dispose(): Promise<void>;
}

/** Inputs that are bound to a compiled graph. */
export interface BoundInputs {
  /**
   * Computes the outputs, except those that inputs grow by.
   *
   * @param inputs Those that are not bound.
   * @throws GraphError as `Executable.run` does, and if an input that grows is full.
   */
  run(inputs: TensorValues): Promise<Record<string, TensorData>>;
  /** Frees them. */
  dispose(): Promise<void>;
}

/** Something that computes graphs. */
export interface Runtime {
  readonly name: string;
  compile(graph: Graph, options?: CompileOptions): Promise<Executable>;
  /** Frees everything. */
  dispose(): Promise<void>;
}

/** All that a run must be given: the graph's inputs, and its parameters unless the graph was compiled with them. */
export function expectedInputs(graph: Graph, options: CompileOptions): ReadonlyMap<string, Tensor> {
  const parameters = options.parameters ? [] : parametersOf(Object.values(graph.outputs));
  return new Map([...Object.entries(graph.inputs), ...parameters]);
}

/** Refuses inputs that are not what a graph expects, by name. */
export function checkInputs(expected: ReadonlyMap<string, Tensor>, inputs: TensorValues): void {
  for (const [name, tensor] of expected) {
    const { dtype, shape, dynamic = [] } = tensor;
    const value = inputs[name];
    const wanted = describe(tensor);
    if (!value) throw new GraphError(`run: input ${name}, ${wanted}, is missing`);
    const fits = (size: number, axis: number) =>
      size === shape[axis] || (dynamic.includes(axis) && size < shape[axis]!);
    if (
      value.dtype !== dtype ||
      value.shape.length !== shape.length ||
      !value.shape.every(fits) ||
      value.data.length !== sizeOf(value.shape)
    ) {
      throw new GraphError(
        `run: input ${name} must be ${wanted}, not ${value.dtype}[${value.shape.join(', ')}] of ${value.data.length} elements`,
      );
    }
  }
  for (const name of Object.keys(inputs)) {
    if (!expected.has(name))
      throw new GraphError(`run: the graph has no input ${name}; it has ${[...expected.keys()].join(', ')}`);
  }
}
