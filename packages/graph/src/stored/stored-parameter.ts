import type { Shape } from '../tensor.js';
import { type Dense, dense } from './dense.js';
import { type Fp16, fp16 } from './fp16.js';
import type { StoredKind, TensorType } from './kind.js';
import {
  type Description,
  type Elements,
  type FileRegion,
  type InMemory,
  isInMemory,
  type Part,
  type PartIn,
  type PartLayout,
} from './part.js';
import { type QuantizedBlocks, quantizedBlocks } from './quantized-blocks.js';
import { type QuantizedColumns, quantizedColumns } from './quantized-columns.js';
import { type QuantizedRows, quantizedRows } from './quantized-rows.js';

/** A parameter in full precision, in half precision or quantized. Each of its parts is in memory or in a file. */
export type StoredParameter = Dense | Fp16 | QuantizedRows | QuantizedColumns | QuantizedBlocks;

/** The kinds, in the order in which they are looked for in a checkpoint. */
const kinds = {
  fp16,
  rows: quantizedRows,
  dense,
  columns: quantizedColumns,
  blocks: quantizedBlocks,
} satisfies Record<NonNullable<StoredParameter['kind']>, unknown>;

/** Returns the kind of a stored parameter. */
export function kindOf(value: Pick<StoredParameter, 'kind'>): StoredKind<StoredParameter> {
  return kinds[value.kind ?? 'dense'];
}

/** A stored parameter without its parts. */
export type StoredDescription = StoredParameter extends infer Kind
  ? Kind extends unknown
    ? Description<Kind>
    : never
  : never;

/** Finds a parameter in a checkpoint, and returns it without its parts. */
export function findStored(
  name: string,
  shape: Shape,
  tensors: ReadonlyMap<string, TensorType>,
): StoredDescription | undefined {
  for (const kind of Object.values(kinds)) {
    const found = kind.find(name, shape, tensors);
    if (found) return found;
  }
  return undefined;
}

/** Returns the layout of a stored parameter's parts in a checkpoint file, by their fields. */
export function layoutOf(value: StoredDescription): [field: string, layout: PartLayout][] {
  return Object.entries(kindOf(value).layout(value));
}

/** Returns the layout and the value of each part, by its field. */
export function partsOf<Value extends StoredParameter>(
  value: Value,
): [field: string, layout: PartLayout, part: PartIn<Value>][] {
  const parts = value as unknown as Readonly<Record<string, PartIn<Value>>>;
  return layoutOf(value).map(([field, layout]) => [field, layout, parts[field]!]);
}

/** Returns a stored parameter without its parts, which may be large. */
export function descriptionOf(value: StoredParameter): StoredDescription {
  const parts = new Set(layoutOf(value).map(([field]) => field));
  return Object.fromEntries(
    Object.entries(value).filter(([field]) => !parts.has(field)),
  ) as unknown as StoredDescription;
}

/** Returns a stored parameter with these parts. */
export function withParts(
  description: StoredDescription,
  parts: readonly (readonly [field: string, part: Part<Elements>])[],
): StoredParameter {
  return { ...description, ...Object.fromEntries(parts) } as StoredParameter;
}

/** Returns the places of a parameter's parts that are in files. */
export function fileRegionsOf(value: StoredParameter): readonly FileRegion[] {
  return partsOf(value).flatMap(([, , part]) => (isInMemory(part) ? [] : [part]));
}

/** Returns the decoded values of a stored parameter, row-major. */
export function decodeParameter(value: InMemory<StoredParameter>): Float32Array {
  return kindOf(value).decode(value) as Float32Array;
}
