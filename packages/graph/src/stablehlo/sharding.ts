/** How tensors are divided over devices, in the notation of Shardy (https://openxla.org/shardy). */
import { GraphError } from '../graph-error.js';
import type { Shape } from '../tensor.js';

/** Devices in a grid: the names of its axes with their sizes, such as `{ data: 4, model: 2 }`. */
export type Mesh = Readonly<Record<string, number>>;

/**
 * How a tensor is divided: for each of its axes, the axes of the mesh that divide it, outermost first. `[['data'], []]` divides the
 * first axis over `data`. A tensor is repeated along the other axes of the mesh.
 */
export type Sharding = readonly (readonly string[])[];

/** A sharding in which XLA may choose the division of the axes that are undefined. */
export type OpenSharding = readonly (readonly string[] | undefined)[];

/** Returns the number of devices of a mesh. */
export const deviceCount = (mesh: Mesh): number => Object.values(mesh).reduce((product, size) => product * size, 1);

/** Returns a sharding without the axis `data` of the mesh: how a tensor lies when its parts along this axis have been collected. */
export const collected = (sharding: Sharding): Sharding => sharding.map((by) => by.filter((axis) => axis !== 'data'));

/** A part of a tensor: where it begins, and its shape. */
export interface TensorBlock {
  readonly starts: Shape;
  readonly shape: Shape;
}

/**
 * Returns the part of a tensor that a device has. Devices are numbered along the last axis of the mesh first.
 *
 * @param sharding How the tensor is divided; undefined if it is whole on every device.
 */
export function blockOf(shape: Shape, sharding: Sharding | undefined, mesh: Mesh, device: number): TensorBlock {
  const position: Record<string, number> = {};
  let rest = device;
  for (const [axis, size] of Object.entries(mesh).reverse()) {
    position[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  const divided = shape.map((size, axis) => {
    let [index, count] = [0, 1];
    for (const by of sharding?.[axis] ?? []) {
      index = index * mesh[by]! + position[by]!;
      count *= mesh[by]!;
    }
    return { start: (index * size) / count, size: size / count };
  });
  return { starts: divided.map(({ start }) => start), shape: divided.map(({ size }) => size) };
}

/** @throws GraphError if a size is not a positive integer, or if a name is not a plain word. */
export function checkMesh(mesh: Mesh): void {
  for (const [name, size] of Object.entries(mesh)) {
    if (!/^[A-Za-z]\w*$/.test(name))
      throw new GraphError(`The name of an axis of the mesh must be a word such as data, not ${JSON.stringify(name)}.`);
    if (!(Number.isSafeInteger(size) && size >= 1))
      throw new GraphError(`Axis ${name} of the mesh must have a whole number of devices, at least 1, not ${size}.`);
  }
}

/** @throws GraphError if a sharding does not fit the mesh or the tensor. */
export function checkSharding(name: string, shape: Shape, sharding: Sharding, mesh: Mesh): void {
  if (sharding.length !== shape.length)
    throw new GraphError(
      `The sharding of ${name} must have ${shape.length} axes as its shape does, not ${sharding.length}.`,
    );
  const used = sharding.flat();
  for (const [i, axis] of used.entries()) {
    if (!Object.hasOwn(mesh, axis))
      throw new GraphError(
        `The sharding of ${name} must use axes of the mesh, ${Object.keys(mesh).join(' and ')}, not ${axis}.`,
      );
    if (used.indexOf(axis) < i)
      throw new GraphError(
        `The sharding of ${name} must use each axis of the mesh at most once, but uses ${axis} twice.`,
      );
  }
  for (const [axis, by] of sharding.entries()) {
    const parts = by.reduce((product, each) => product * mesh[each]!, 1);
    if (shape[axis]! % parts !== 0)
      throw new GraphError(
        `Axis ${axis} of ${name}, of size ${shape[axis]}, must be a multiple of ${parts} to be divided over ${by.join(' and ')}.`,
      );
  }
}

export const meshText = (mesh: Mesh): string =>
  `sdy.mesh @mesh = <[${Object.entries(mesh)
    .map(([name, size]) => `"${name}"=${size}`)
    .join(', ')}]>`;

/** Returns a sharding in Shardy's syntax. */
export const shardingOf = (sharding: OpenSharding): string =>
  `<@mesh, [${sharding.map((by) => `{${by?.map((axis) => `"${axis}"`).join(', ') ?? '?'}}`).join(', ')}]>`;

/** Returns the attribute of an argument or a result. */
export const shardingText = (sharding: Sharding): string => `sdy.sharding = #sdy.sharding${shardingOf(sharding)}`;
