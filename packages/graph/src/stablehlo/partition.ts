/** How a graph is divided over devices, by what its tensors are. */
import type { TensorRoles } from '../runtimes/runtime.js';
import type { Graph, Tensor } from '../tensor.js';
import { parametersOf } from '../traversal.js';
import { widthsOf } from './activation-widths.js';
import type { StableHloOptions } from './emit.js';
import { type DeviceMesh, dividing, type ParameterSharding } from './parameter-sharding.js';
import { collected, deviceCount } from './sharding.js';

/** Options of `emitStableHlo` that divide a graph. */
export type Partition = {
  readonly [Option in 'mesh' | 'sharding' | 'constraint']: NonNullable<StableHloOptions[Option]>;
};

/**
 * Returns the options with which `emitStableHlo` divides a graph over a mesh: batches by samples, and parameters, with what belongs to
 * them, as `sharding` says. All else is whole on every device. Products and lookups collect the parts of a parameter that are divided over
 * `data`, and gradients are divided as soon as they are known.
 *
 * @throws GraphError if a parameter matches a rule with another number of axes.
 */
export function partition(
  graph: Graph,
  { sampleAxes, parameterOf, values, gradients, joined }: TensorRoles,
  { data = 1, model = 1 }: DeviceMesh,
  sharding: ParameterSharding,
): Partition {
  const mesh = { data, model };
  if (deviceCount(mesh) === 1) return { mesh, sharding: () => undefined, constraint: () => undefined };
  const parameters = parametersOf(Object.values(graph.outputs));
  const divide = dividing(sharding, mesh);
  const divisionOf = (tensor: Tensor, roles: readonly ReadonlyMap<Tensor, string>[]) => {
    const name = roles.find((names) => names.has(tensor))?.get(tensor);
    return name === undefined ? undefined : divide(name, tensor.shape);
  };
  const widthOf = widthsOf((tensor) => divisionOf(tensor, [values]));
  return {
    mesh,
    sharding(name, shape, kind) {
      const sampleAxis = kind === 'input' ? sampleAxes[name] : undefined;
      if (sampleAxis !== undefined) return shape.map((_, axis) => (axis === sampleAxis ? ['data'] : []));
      const owner = kind === 'parameter' ? name : parameterOf.get(name);
      const owned = owner === undefined ? undefined : (graph.inputs[owner] ?? parameters.get(owner));
      if (!owned) return undefined;
      // What is smaller along an axis than its parameter, such as the moments of Adafactor, is whole along it.
      return divide(owner!, owned.shape).map((by, axis) => (shape[axis] === owned.shape[axis] ? by : []));
    },
    constraint(tensor, use) {
      if (sharding === 'replicated') return undefined;
      const divided = divisionOf(tensor, use === 'operand' ? [values] : [values, gradients]);
      if (use === 'operand') return divided?.flat().includes('data') ? collected(divided) : undefined;
      if (divided || model === 1) return divided;
      if (joined.has(tensor)) return tensor.shape.map(() => []);
      const last = widthOf(tensor);
      return last && tensor.shape.map((_, axis) => (axis === tensor.shape.length - 1 ? last : undefined));
    },
  };
}
