import { type Dense, dense } from './dense.js';
import { type Fp16, fp16 } from './fp16.js';
import type { StoredKind } from './kind.js';
import { type Elements, type FileRegion, type InMemory, isInMemory, type Part, type PartLayout } from './part.js';
import { type QuantizedBlocks, quantizedBlocks } from './quantized-blocks.js';
import { type QuantizedColumns, quantizedColumns } from './quantized-columns.js';
import { type QuantizedRows, quantizedRows } from './quantized-rows.js';

/** A parameter's values as they are stored: as they are, in half precision or quantized; each part of them in memory or in a file. */
export type StoredParameter = Dense | Fp16 | QuantizedRows | QuantizedColumns | QuantizedBlocks;

const kinds = {
  dense,
  fp16,
  rows: quantizedRows,
  columns: quantizedColumns,
  blocks: quantizedBlocks,
} satisfies Record<NonNullable<StoredParameter['kind']>, unknown>;

/** The kind of a stored parameter. */
export function kindOf(value: Pick<StoredParameter, 'kind'>): StoredKind<StoredParameter> {
  return kinds[value.kind ?? 'dense'] as StoredKind<StoredParameter>;
}

/** The layout and the values of each part, by its field. */
export function partsOf(value: StoredParameter): [field: string, layout: PartLayout, part: Part<Elements>][] {
  const parts = value as unknown as Readonly<Record<string, Part<Elements>>>;
  const layouts: [string, PartLayout][] = Object.entries(kindOf(value).layout(value));
  return layouts.map(([field, layout]) => [field, layout, parts[field]!]);
}

/** The same stored parameter with its parts in other places. */
export function withParts(
  value: StoredParameter,
  parts: readonly (readonly [field: string, part: Part<Elements>])[],
): StoredParameter {
  return { ...value, ...Object.fromEntries(parts) };
}

/** The places in files that a parameter's values are in: none, for those in memory. */
export function fileRegionsOf(value: StoredParameter): readonly FileRegion[] {
  return partsOf(value).flatMap(([, , part]) => (isInMemory(part) ? [] : [part]));
}

/** The values that a stored parameter stands for, row-major. */
export function decodeParameter(value: InMemory<Exclude<StoredParameter, Dense>>): Float32Array {
  return kindOf(value).decode(value as InMemory<StoredParameter>) as Float32Array;
}
