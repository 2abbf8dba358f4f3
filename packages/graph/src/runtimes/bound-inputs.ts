/** Inputs that are bound to a compiled graph for many runs, and those that each run appends to, such as a KV cache. */
import { GraphError } from '../graph-error.js';
import { sameShape, sizeOf } from '../shape.js';
import type { DType, Graph, Shape, Tensor, TensorData } from '../tensor.js';
import { type BoundInputs, checkInputs, type Executable, type TensorValues } from './runtime.js';

/** An input that each run appends to along a dynamic axis: its name, type, and shape when it is full. */
export interface AppendedInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly axis: number;
}

/**
 * Returns the inputs that a run appends to: those with a dynamic axis and an output of the same name, which is appended.
 *
 * @throws GraphError if such an output has another type, or another shape except along the axis.
 */
export function appendedInputs(graph: Graph): AppendedInput[] {
  return dynamicInputs(graph).map(({ input, output, fits }) => {
    const { name, dtype, shape, axis } = input;
    if (!fits)
      throw new GraphError(
        `Output ${name} must be ${dtype}[${shape}] like the input of the same name, except along axis ${axis}, not ${output.dtype}[${output.shape}].`,
      );
    return input;
  });
}

/** Whether a graph has inputs that runs append to, and outputs that fit them. */
export function appendsInputs(graph: Graph): boolean {
  const inputs = dynamicInputs(graph);
  return inputs.length > 0 && inputs.every(({ fits }) => fits);
}

/** The inputs with a dynamic axis that have an output of the same name, and whether it fits them, except along that axis. */
function dynamicInputs(graph: Graph): { input: AppendedInput; output: Tensor; fits: boolean }[] {
  return Object.entries(graph.inputs).flatMap(([name, { dtype, shape, dynamic }]) => {
    const axis = dynamic?.[0];
    const output = graph.outputs[name];
    if (axis === undefined || !output) return [];
    const apart = (sizes: Shape) => sizes.filter((_, i) => i !== axis);
    const fits =
      output.dtype === dtype && output.shape.length === shape.length && sameShape(apart(output.shape), apart(shape));
    return [{ input: { name, dtype, shape, axis }, output, fits }];
  });
}

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** The value of an appended input, at first empty. Its memory is allocated once and can be freed at once. */
export class AppendedTensor {
  private readonly data: TensorData['data'];
  private length = 0;

  constructor(private readonly input: AppendedInput) {
    const array = arrays[input.dtype];
    const maxByteLength = array.BYTES_PER_ELEMENT * sizeOf(input.shape);
    // Only a resizable buffer can be freed at once. Until garbage collection, the others added 50 MB to the peak of DALL·E Mini.
    this.data = new array(new ArrayBuffer(maxByteLength, { maxByteLength }));
  }

  /** Frees the memory. The tensor cannot be used afterwards. */
  free(): void {
    (this.data.buffer as ArrayBuffer).resize(0);
  }

  /** The current value: a view, which the next `append` overwrites. */
  get value(): TensorData {
    const { dtype, axis } = this.input;
    const shape = this.input.shape.map((size, i) => (i === axis ? this.length : size));
    return { dtype, shape, data: this.data.subarray(0, sizeOf(shape)) } as TensorData;
  }

  /** Appends a block at the end of the axis. */
  append(block: TensorData['data']): void {
    const { name, shape, axis } = this.input;
    const lines = sizeOf(shape.slice(0, axis));
    const width = sizeOf(shape.slice(axis + 1));
    const added = block.length / lines;
    const before = this.length * width;
    this.length += added / width;
    if (this.length > shape[axis]!)
      throw new GraphError(
        `run: axis ${axis} of input ${name} must have at most ${shape[axis]} elements, not ${this.length}.`,
      );
    // Start with the last line, so that no line is overwritten before it is moved.
    for (let line = lines - 1; line >= 0; line--) {
      const start = line * (before + added);
      this.data.copyWithin(start, line * before, (line + 1) * before);
      this.data.set(block.subarray(line * added, (line + 1) * added), start + before);
    }
  }
}

/**
 * Returns the inputs that runs still need when some are bound.
 *
 * @throws GraphError if a bound input is unknown or has another type or shape than the graph's.
 */
export function checkBound(
  expected: ReadonlyMap<string, Tensor>,
  appended: readonly AppendedInput[],
  inputs: TensorValues,
): ReadonlyMap<string, Tensor> {
  for (const { name } of appended) {
    if (name in inputs)
      throw new GraphError(`bind: input ${name} must be left out, because runs append to it and it starts empty.`);
  }
  const names = new Set(appended.map(({ name }) => name));
  const rest = [...expected].filter(([name]) => !names.has(name));
  checkInputs(new Map(rest.filter(([name]) => name in inputs)), inputs);
  return new Map(rest.filter(([name]) => !(name in inputs)));
}

/** Binds inputs for a runtime that computes on the calling thread. */
export function bindInputs(
  graph: Graph,
  expected: ReadonlyMap<string, Tensor>,
  { run }: Pick<Executable, 'run'>,
  inputs: TensorValues,
): BoundInputs {
  const inputsToAppend = appendedInputs(graph);
  const others = checkBound(expected, inputsToAppend, inputs);
  const appended = inputsToAppend.map((input) => ({ name: input.name, tensor: new AppendedTensor(input) }));
  return {
    async run(rest) {
      checkInputs(others, rest);
      const values = Object.fromEntries(appended.map(({ name, tensor }) => [name, tensor.value]));
      const outputs = await run({ ...inputs, ...values, ...rest });
      for (const { name, tensor } of appended) {
        tensor.append(outputs[name]!.data);
        delete outputs[name];
      }
      return outputs;
    },
    dispose: async () => {
      for (const { tensor } of appended) tensor.free();
    },
  };
}
