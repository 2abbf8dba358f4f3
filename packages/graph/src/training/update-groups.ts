/** The parameters that an optimizer updates together, and the tensors that carry them from step to step. */
import { concat, reshape, sliceAxis } from '../operators.js';
import { sizeOf } from '../shape.js';
import type { Shape, Tensor } from '../tensor.js';
import type { Optimizer } from './optimizers.js';

/** Tensors by the names of parameters. */
export type Values = ReadonlyMap<string, Tensor>;

/** Some tensors of the state, which are carried as one tensor. */
export interface Part {
  readonly names: readonly string[];
  readonly shapes: readonly Shape[];
  /** Whether they are concatenated to one vector. If not, there is only one. */
  readonly flat: boolean;
}

/** Parameters that are updated together. */
export interface UpdateGroup {
  readonly value: Part;
  /** The state of the optimizer by slot. */
  readonly slots: ReadonlyMap<string, Part>;
  /** The factor of the learning rate. */
  readonly factor: number;
}

interface GroupOptions {
  readonly parameters: Values;
  readonly factors: ReadonlyMap<string, number>;
  readonly optimizer: Optimizer;
}

/** For parameters with fewer elements, the calls of the update's operators cost more than their work. */
const smallSize = 32768;

/** Groups parameters: small ones of the same kind and factor together. Every other parameter is a group of its own. */
export function updateGroups(
  names: readonly string[],
  { parameters, factors, optimizer }: GroupOptions,
): UpdateGroup[] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const { shape } = parameters.get(name)!;
    const kind = sizeOf(shape) < smallSize ? optimizer.kind?.(name, shape) : undefined;
    const key = kind === undefined ? `alone/${name}` : `kind/${factors.get(name)}/${kind}`;
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups.values()].map((names) => {
    const shape = parameters.get(names[0]!)!.shape;
    // Flatten a single 1×1 kernel too: to broadcast a scalar over trailing axes of size 1, ONNX Runtime takes 30 ns per element.
    const flat = optimizer.kind !== undefined && (names.length > 1 || shape.at(-1) === 1);
    const value = partOf(names, parameters, flat);
    const slots = Object.keys(optimizer.slots(shape)).map((slot): [string, Part] => [
      slot,
      {
        names: names.map((name) => `optimizer/${slot}/${name}`),
        shapes: value.shapes.map((shape) => optimizer.slots(shape)[slot]!),
        flat,
      },
    ]);
    return { value, slots: new Map(slots), factor: factors.get(names[0]!)! };
  });
}

/** Returns the part of some parameters. */
export function partOf(names: readonly string[], parameters: Values, flat = true): Part {
  return { names, shapes: names.map((name) => parameters.get(name)!.shape), flat };
}

/** Returns the part with the moving averages of a group. */
export function averageOf({ value }: UpdateGroup): Part {
  return { ...value, names: value.names.map((name) => `average/${name}`) };
}

/** Joins the tensors of a part to the one that is carried. */
export function join({ names, flat }: Part, values: Values): Tensor {
  const tensors = names.map((name) => values.get(name)!);
  const [first, ...others] = flat ? tensors.map((tensor) => reshape(tensor, [-1])) : tensors;
  return others.length === 0 ? first! : concat([first!, ...others], 0);
}

/** Splits a tensor into those that {@link join} joined. */
export function cut(joined: Tensor, { shapes }: Part): Tensor[] {
  if (shapes.length === 1) return [reshape(joined, shapes[0]!)];
  let end = 0;
  return shapes.map((shape) => {
    const start = end;
    end += sizeOf(shape);
    return reshape(sliceAxis(joined, 0, start, end), shape);
  });
}

export const zip = <A, B>(a: readonly A[], b: readonly B[]): [A, B][] =>
  a.slice(0, b.length).map((item, i) => [item, b[i]!]);
