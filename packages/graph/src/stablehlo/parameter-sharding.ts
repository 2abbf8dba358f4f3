/** How parameters are divided over devices. */
import {
  type Field,
  field,
  integer,
  list,
  type NamePatterns,
  nameMatcher,
  namePatternsField,
  object,
  oneOf,
  optional,
} from '@dalle-mini/core';
import { GraphError } from '../graph-error.js';
import { sizeOf } from '../shape.js';
import type { Shape } from '../tensor.js';
import type { Mesh, Sharding } from './sharding.js';

/** The devices that compute a graph together: `data · model` of them. */
export interface DeviceMesh {
  /** Number of parts into which the samples of a batch are divided. Default 1. */
  readonly data?: number | undefined;
  /** Number of parts into which partition rules divide parameters. Default 1. */
  readonly model?: number | undefined;
}

/** How some parameters are divided. */
export interface PartitionRule {
  /** Names of parameters, in which `*` stands for any characters: `*.q_proj.weight`. */
  readonly match: NamePatterns;
  /** For each axis of the parameter: the axis of the mesh over which it is divided, or null. */
  readonly axes: readonly ('data' | 'model' | null)[];
}

/**
 * Where parameters are, with what belongs to them, such as their optimizer's state. `replicated`: whole on every device. `fsdp`: each
 * large one is divided over the axis `data` (fully sharded data parallelism). Rules: the first that matches a name decides, and other
 * parameters are replicated. An axis stays whole if its size is not a multiple of the number of devices.
 */
export type ParameterSharding = 'replicated' | 'fsdp' | readonly PartitionRule[];

const count = optional(integer({ min: 1, max: 65_536 }));

export const deviceMeshField = object<DeviceMesh>({ data: count, model: count });

const partitionRulesField = list(
  object<PartitionRule>({ match: namePatternsField, axes: list(oneOf(['data', 'model', null])) }),
);

/** Returns a field of lists of partition rules and of names for other shardings. */
export function shardingField<const Name extends string>(
  names: readonly Name[],
): Field<Name | readonly PartitionRule[]> {
  const expected = `${names.map((name) => JSON.stringify(name)).join(', ')} or a list of partition rules`;
  const name = field<Name>(expected, (value) => names.includes(value as Name), { enum: names });
  return {
    ...name,
    schema: { anyOf: [name.schema, partitionRulesField.schema] },
    read: (value, path) => (Array.isArray(value) ? partitionRulesField.read(value, path) : name.read(value, path)),
  };
}

/** In elements. It takes longer to collect a smaller parameter than it saves memory. */
const smallestDivided = 32768;

/** Returns how a parameter is divided. */
export type Divide = (name: string, shape: Shape) => Sharding;

const whole: Divide = (_, shape) => shape.map(() => []);

/** Returns how `sharding` divides parameters over a mesh. */
export function dividing(sharding: ParameterSharding, mesh: Mesh): Divide {
  if (sharding === 'replicated') return whole;
  const divide = sharding === 'fsdp' ? fullySharded(mesh) : byRules(sharding, mesh);
  return (name, shape) => (sizeOf(shape) < smallestDivided ? whole : divide)(name, shape);
}

/** Divides the largest axis that can be divided. */
function fullySharded({ data }: Mesh): Divide {
  return (name, shape) => {
    const divisible = shape.filter((size) => size % data! === 0);
    if (divisible.length === 0) return whole(name, shape);
    const divided = shape.indexOf(Math.max(...divisible));
    return shape.map((_, axis) => (axis === divided ? ['data'] : []));
  };
}

function byRules(rules: readonly PartitionRule[], mesh: Mesh): Divide {
  const known = rules.map(({ match, axes }) => ({ matches: nameMatcher(match), axes }));
  return (name, shape) => {
    const rule = known.find(({ matches }) => matches(name));
    if (!rule) return whole(name, shape);
    if (rule.axes.length !== shape.length)
      throw new GraphError(
        `The partition rule of ${name} must have ${shape.length} axes, as its shape [${shape}] has, not ${rule.axes.length}.`,
      );
    return rule.axes.map((by, axis) => (by !== null && shape[axis]! % mesh[by]! === 0 ? [by] : []));
  };
}
