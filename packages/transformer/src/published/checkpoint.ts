/** The checkpoint of a published model, `flax_model.msgpack`, read and written. */
import { OptionError } from '@dalle-mini/core';
import type { Tensor } from '@dalle-mini/graph';
import { matchParameters } from '@dalle-mini/graph/stored';
import {
  type Checkpoint,
  CheckpointError,
  findModel,
  fromFloat32,
  type StoredTensor,
  toFloat32,
  transposeInPlace,
} from '@dalle-mini/weights';
import type { TransformerConfig } from '../config.js';
import type { Stack } from '../stack.js';
import { isOfStack, publishedName } from './names.js';

type Kind = Stack['kind'];

/**
 * Takes a stack out of a published checkpoint: its tensors under the names and in the layouts of `parameters`, with the layers one by one,
 * whether the checkpoint has them stacked or not. What is left in `published` is of the other stack.
 *
 * Nothing is in memory twice: what was taken is removed, what can be is a view of the published bytes, and kernels, which flax has as
 * `[in, out]`, are transposed in the memory where they are.
 *
 * @param parameters What the stack declares; the decoder's have the head, `lm_head`, too.
 * @throws CheckpointError that names the tensors which are missing, of another shape, or not known.
 */
export function importTransformer(
  published: Checkpoint,
  kind: Kind,
  config: TransformerConfig,
  parameters: ReadonlyMap<string, Tensor>,
): Checkpoint {
  const names = new Map(
    [...parameters].map(([name, { shape }]) => [publishedName(name, shape, kind, config), name] as const),
  );
  const taken: Checkpoint = new Map();
  // Layers may be stacked.
  const { prefix, tensors } = findModel(
    published,
    [...names.keys()].map((name) => [name, stackedName(name)]),
  );
  for (const [path, tensor] of tensors) {
    if (!isOfStack(path, kind)) {
      // A parameter is in a module. Numbers next to the modules, such as the step, are of training.
      const isParameter = path.includes('/') || path === 'final_logits_bias';
      if (!isParameter || isOfStack(path, kind === 'encoder' ? 'decoder' : 'encoder')) continue;
      throw new CheckpointError(
        `The published model has ${path}, which is of neither the encoder nor the decoder, and may change what they compute. Use the checkpoint that belongs to this config.json.`,
      );
    }
    const name = prefix + path;
    published.delete(name);
    for (const [full, part] of eachLayer(path, tensor)) {
      const current = names.get(full);
      if (current === undefined)
        throw new CheckpointError(
          `The published ${kind} has ${name}, which a model of this config.json does not have. Use the checkpoint that belongs to it.`,
        );
      taken.set(current, fromPublishedLayout(full, part));
    }
  }
  const last = lastNormScale(config);
  if (last !== undefined && !taken.has(last))
    taken.set(last, fromFloat32(new Float32Array(config.width).fill(1), [config.width]));
  matchParameters(parameters, taken);
  return taken;
}

/** How a published model is laid out. */
export interface ExportOptions {
  /**
   * Whether the tensors of all layers are stacked along a first axis, as `use_scan` of `config.json` says. Default as published: true,
   * unless `normPositions` is `swinv2`, whose layers differ.
   */
  readonly scan?: boolean | undefined;
}

/**
 * A stack as it is in a published checkpoint: the inverse of {@link importTransformer}. Tensors that the model does not have are left out;
 * those whose elements stay in their places share their memory.
 *
 * @throws CheckpointError that names the tensors which are missing or of another shape, or one that is not of floats, or impossible without `scan`;
 * OptionError if layers that differ would be stacked.
 */
export function exportTransformer(
  weights: ReadonlyMap<string, StoredTensor>,
  kind: Kind,
  config: TransformerConfig,
  parameters: ReadonlyMap<string, Tensor>,
  { scan = config.normPositions !== 'swinv2' }: ExportOptions = {},
): Checkpoint {
  if (scan && config.normPositions === 'swinv2')
    throw new OptionError('scan', 'false where normPositions is "swinv2", whose layers differ', scan);
  matchParameters(parameters, weights);
  const released: Checkpoint = new Map();
  for (const [name, { shape }] of parameters) {
    const tensor = weights.get(name)!;
    if (!isFloat(tensor))
      throw new CheckpointError(`${name} of the ${kind} must be floats, not ${tensor.dtype}. Convert it to floats.`);
    if (!scan && name === lastNormScale(config)) {
      if (!toFloat32(tensor).every((scale) => scale === 1))
        throw new CheckpointError(
          `${name} of the ${kind} must be 1 where layers are not stacked, which have no place for it. Set scan to true.`,
        );
      continue;
    }
    const published = publishedName(name, shape, kind, config);
    released.set(published, toPublishedLayout(published, tensor));
  }
  return scan ? stackLayers(released) : released;
}

const isFloat = ({ dtype }: StoredTensor) => dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';

/** The last norm of `postln`. The published one has a scale only where layers are stacked, and so have the same parameters. */
function lastNormScale({ normPositions, layers }: TransformerConfig): string | undefined {
  return normPositions === 'postln' ? `layers.${layers - 1}.final_layer_norm.weight` : undefined;
}

const stackedLayers = /^(model\/(?:encoder|decoder)\/layers\/FlaxBart(?:En|De)coderLayer)s\/(.*)$/;

/** The name of a layer's tensor where all layers are stacked. */
const stackedName = (name: string) => name.replace(/(Layer)_\d+\//, '$1s/');

/** A tensor that is stacked along a first axis as one for each layer, under the names of layers that are not stacked; or the only one. */
function eachLayer(path: string, tensor: StoredTensor): [published: string, tensor: StoredTensor][] {
  const [, layer, rest] = stackedLayers.exec(path) ?? [];
  if (layer === undefined) return [[path, tensor]];
  const { dtype, shape, bytes } = tensor;
  const [layers, ...ofLayer] = shape as [number, ...number[]];
  const size = bytes.byteLength / layers;
  return Array.from({ length: layers }, (_, i) => [
    `${layer}_${i}/${rest}`,
    { dtype, shape: ofLayer, bytes: bytes.subarray(i * size, (i + 1) * size) },
  ]);
}

/** The inverse of {@link eachLayer}, where each layer comes after the one before it. */
function stackLayers(released: Checkpoint): Checkpoint {
  const together = new Map<string, StoredTensor[]>();
  for (const [name, tensor] of released) {
    const stacked = stackedName(name);
    together.set(stacked, [...(together.get(stacked) ?? []), tensor]);
  }
  const isStacked = (name: string) => stackedLayers.test(name);
  return new Map([...together].map(([name, layers]) => [name, isStacked(name) ? stack(name, layers) : layers[0]!]));
}

function stack(name: string, layers: readonly StoredTensor[]): StoredTensor {
  const { dtype, shape, bytes } = layers[0]!;
  const stacked = new Uint8Array(layers.length * bytes.byteLength);
  for (const [i, layer] of layers.entries()) {
    if (layer.dtype !== dtype)
      throw new CheckpointError(
        `The layers of ${name} must have one type, not ${dtype} and ${layer.dtype}. Convert them to one.`,
      );
    stacked.set(layer.bytes, i * bytes.byteLength);
  }
  return { dtype, shape: [layers.length, ...shape], bytes: stacked };
}

/** A published tensor in the layout that it has here: a kernel `[in, out]` as `[out, in]`, in the same memory. */
function fromPublishedLayout(published: string, tensor: StoredTensor): StoredTensor {
  const { shape } = tensor;
  // [1, 1, heads, 1]
  if (published.endsWith('/head_scale')) return { ...tensor, shape: [shape[2]!] };
  // Of another shape than a kernel's, which is told when all shapes are checked.
  return published.endsWith('/kernel') && shape.length === 2 ? transposeInPlace(tensor, [1, 0]) : tensor;
}

/** The inverse of {@link fromPublishedLayout}, in other memory where elements move. */
function toPublishedLayout(published: string, tensor: StoredTensor): StoredTensor {
  if (published.endsWith('/head_scale')) return { ...tensor, shape: [1, 1, ...tensor.shape, 1] };
  const copy = () => ({ ...tensor, bytes: new Uint8Array(tensor.bytes) });
  return published.endsWith('/kernel') ? transposeInPlace(copy(), [1, 0]) : tensor;
}
