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

/** Returns the number of devices of a mesh. */
export const deviceCount = (mesh: Mesh): number => Object.values(mesh).reduce((product, size) => product * size, 1);

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

export const shardingText = (sharding: Sharding): string =>
  `sdy.sharding = #sdy.sharding<@mesh, [${sharding.map((by) => `{${by.map((axis) => `"${axis}"`).join(', ')}}`).join(', ')}]>`;
