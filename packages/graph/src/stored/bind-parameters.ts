import { CheckpointError, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { sameShape, sizeOf } from '../shape.js';
import type { Shape } from '../tensor.js';
import type { TensorType } from './kind.js';
import { Mismatches } from './mismatches.js';
import { elementsOf, type FileRegion, type InMemory, type PartLayout } from './part.js';
import {
  decodeParameter,
  findStored,
  layoutOf,
  type StoredDescription,
  type StoredParameter,
  withParts,
} from './stored-parameter.js';

/** A tensor of a checkpoint, in memory or in its file. */
export type CheckpointTensor = StoredTensor | (TensorType & FileRegion);

/** The place of a parameter in a checkpoint. */
export interface ParameterSource {
  /** The name of the tensor. */
  readonly name: string;
  /** Whether the tensor is a matrix `[in, out]` and the parameter `[out, in]`. */
  readonly transposed?: boolean | undefined;
  /** The part of the tensor that is the parameter, of equal parts along the first axis, such as queries of queries, keys and values. */
  readonly part?: { readonly index: number; readonly of: number } | undefined;
}

export interface BindOptions {
  /** Returns the possible places of a parameter, the likeliest first. Default: the tensor with the parameter's name. */
  readonly sources?: ((parameter: string) => readonly (string | ParameterSource)[]) | undefined;
  /** Selects tensors that may be left over. Any other tensor that is not used is refused. Default: any tensor may be left over. */
  readonly isUnneeded?: ((tensor: string) => boolean) | undefined;
}

/** The tensors of a checkpoint that a parameter is stored in. */
export interface ParameterMatch<Tensor> {
  readonly source: ParameterSource;
  /** The stored parameter without its parts. */
  readonly description: StoredDescription;
  readonly parts: readonly {
    readonly field: string;
    readonly layout: PartLayout;
    readonly name: string;
    readonly tensor: Tensor;
  }[];
}

/**
 * Finds the tensors of a checkpoint that contain a model's parameters, in any kind of `StoredParameter`.
 * @throws CheckpointError that lists all tensors that are missing, have another shape or type, or are unknown.
 */
export function matchParameters<Tensor extends TensorType>(
  declared: ReadonlyMap<string, { readonly shape: Shape }>,
  checkpoint: ReadonlyMap<string, Tensor>,
  { sources = (name) => [name], isUnneeded }: BindOptions = {},
): Map<string, ParameterMatch<Tensor>> {
  const matches = new Map<string, ParameterMatch<Tensor>>();
  const mismatches = new Mismatches();
  const used = new Set<string>();
  for (const [parameter, { shape }] of declared) {
    const match = sources(parameter)
      .map((source) => (typeof source === 'string' ? { name: source } : source))
      .map((source) => ({ source, description: findStored(source.name, shapeIn(source, shape), checkpoint) }))
      .find(({ description }) => description);
    if (!match?.description) {
      mismatches.missing.push(parameter);
      continue;
    }
    const { source, description } = match;
    const parts = layoutOf(description).flatMap(([field, layout]) => {
      const name = source.name + layout.suffix;
      const tensor = checkpoint.get(name);
      used.add(name);
      if (!tensor) mismatches.missing.push(name);
      else if (!sameShape(tensor.shape, layout.shape))
        mismatches.different.push(`${name} must have shape ${listText(layout.shape)}, not ${listText(tensor.shape)}`);
      else if (!fits(tensor, layout)) mismatches.different.push(`${name} must be ${layout.dtype}, not ${tensor.dtype}`);
      return tensor ? [{ field, layout, name, tensor }] : [];
    });
    matches.set(parameter, { source, description, parts });
  }
  if (isUnneeded)
    mismatches.unknown.push(...[...checkpoint.keys()].filter((name) => !used.has(name) && !isUnneeded(name)));
  const { text } = mismatches;
  if (text !== undefined)
    throw new CheckpointError(
      `The weights must be those that the configuration describes: ${text}. Pass the weights and the configuration of the same model.`,
    );
  return matches;
}

/**
 * Returns the parameters of a model from a checkpoint, in the form in which they are stored. Values in a file stay there.
 * @throws CheckpointError as {@link matchParameters} does, and if an 8-bit tensor is damaged.
 */
export function bindParameters(
  declared: ReadonlyMap<string, { readonly shape: Shape }>,
  checkpoint: ReadonlyMap<string, StoredTensor>,
  options?: BindOptions,
): Map<string, InMemory<StoredParameter>>;
export function bindParameters(
  declared: ReadonlyMap<string, { readonly shape: Shape }>,
  checkpoint: ReadonlyMap<string, CheckpointTensor>,
  options?: BindOptions,
): Map<string, StoredParameter>;
export function bindParameters(
  declared: ReadonlyMap<string, { readonly shape: Shape }>,
  checkpoint: ReadonlyMap<string, CheckpointTensor>,
  options?: BindOptions,
): Map<string, StoredParameter> {
  const matches = matchParameters(declared, checkpoint, options);
  // By tensor, because several parameters may be parts of the same tensor.
  const decoded = new Map<string, Float32Array>();
  return new Map(
    [...matches].map(([parameter, { source, description, parts }]) => {
      const stored = withParts(
        description,
        parts.map(({ field, layout, name, tensor }) => [field, partOf(name, tensor, layout)]),
      );
      const { name, transposed = false, part } = source;
      if (!transposed && !part) return [parameter, stored];
      const data = decoded.get(name) ?? decodeParameter(stored as InMemory<StoredParameter>);
      decoded.set(name, data);
      const { shape } = declared.get(parameter)!;
      const size = sizeOf(shape);
      const own = part ? data.subarray(part.index * size, (part.index + 1) * size) : data;
      return [parameter, { dtype: 'float32', shape, data: transposed ? transpose(own, shape) : own }];
    }),
  );
}

function shapeIn({ transposed, part }: ParameterSource, shape: Shape): Shape {
  const [rows, ...rest] = transposed ? [...shape].reverse() : shape;
  return part ? [rows! * part.of, ...rest] : rows === undefined ? [] : [rows, ...rest];
}

/** Checks whether a tensor has a part's element type or can be converted to it. */
function fits(tensor: TensorType, { dtype, suffix }: PartLayout): boolean {
  return tensor.dtype === dtype || (dtype === 'F32' && suffix === '');
}

function partOf(name: string, tensor: CheckpointTensor, { dtype, shape }: PartLayout) {
  if (!('bytes' in tensor)) {
    if (tensor.dtype !== dtype)
      throw new CheckpointError(
        `${name} must be ${dtype} to stay in its file, not ${tensor.dtype}. Read it into memory.`,
      );
    const { folder, file, offset } = tensor;
    return { folder, file, offset };
  }
  return dtype === 'F32' ? toFloat32({ ...tensor, shape }) : elementsOf(dtype, tensor.bytes);
}

/** Transposes a matrix that is stored as `[columns, rows]` to `[rows, columns]`. */
function transpose(data: Float32Array, [rows, columns]: Shape): Float32Array {
  return Float32Array.from(data, (_, i) => data[(i % columns!) * rows! + Math.floor(i / columns!)]!);
}

const listText = (shape: Shape) => `[${shape.join(', ')}]`;
