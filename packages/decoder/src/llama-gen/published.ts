/** LlamaGen's decoders as released: checkpoints without a configuration, such as `c2i_L_384.pt` and `t2i_XL_stage1_256.pt`. */
import { ConfigError, integer, number, object, oneOf, optional, readConfig } from '@dalle-mini/core';
import { matchParameters } from '@dalle-mini/graph/stored';
import { type Checkpoint, CheckpointError, findModel } from '@dalle-mini/weights';
import { decoderParameters } from '../models.js';
import { checkLlamaGenConfig, type LlamaGenConfig } from './config.js';

/** The fields of `ModelArgs` that do not follow from the shapes of the weights. */
const modelArgs = object(
  {
    n_head: optional(integer({ min: 1 })),
    n_kv_head: optional(integer({ min: 1 })),
    rope_base: optional(number({ above: 0 })),
    norm_eps: optional(number({ above: 0 })),
    model_type: optional(oneOf(['c2i', 't2i'])),
  },
  { unknown: 'ignore', nullIsAbsent: true },
);

/** The heads of the published models, by their widths: the weights do not show them. */
const publishedHeads: ReadonlyMap<number, number> = new Map([
  [768, 12],
  [1024, 16],
  [1280, 20],
  [1536, 24],
  [2048, 32],
  [2560, 40],
  [3200, 32],
  [4096, 32],
]);

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

const neededNames = ['tok_embeddings.weight', 'layers.0.feed_forward.w1.weight', 'output.weight'];

/**
 * Reads the configuration of a LlamaGen decoder from the shapes of its weights.
 *
 * @param args Fields of the published `ModelArgs` that the weights do not show: `n_head`, `rope_base`, `norm_eps`. Default: those
 *   of the published models.
 * @param source The file of the weights, for error messages.
 * @throws CheckpointError if the weights are not those of such a decoder; ConfigError if the number of heads is not known,
 *   or a field is one that this model does not have.
 */
export function importLlamaGenConfig(
  shapes: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  gridSize: number,
  args: object = {},
  source = 'LlamaGen',
): LlamaGenConfig {
  const { tensors } = findModel(
    shapes as ReadonlyMap<string, never>,
    neededNames.map((name) => [name]),
  ) as unknown as { readonly tensors: Shapes };
  const sizesOf = (name: string) => {
    const shape = tensors.get(name)?.shape;
    if (shape?.length !== 2)
      throw new CheckpointError(`${source} must have the matrix ${name} of LlamaGen. Download the file again.`);
    return shape as readonly [number, number];
  };
  const [vocabularySize, width] = sizesOf('tok_embeddings.weight');
  const [feedForwardWidth] = sizesOf('layers.0.feed_forward.w1.weight');
  const given = readConfig(modelArgs, args, source);
  const heads = given.n_head ?? publishedHeads.get(width);
  if (heads === undefined)
    throw new ConfigError(
      source,
      'n_head',
      `must be given in a config.json, because no published model has the width ${width}.`,
    );
  if (given.n_kv_head !== undefined && given.n_kv_head !== heads)
    throw new ConfigError(source, 'n_kv_head', `must be n_head, ${heads}, not ${given.n_kv_head}.`);
  let layers = 1;
  while (tensors.has(`layers.${layers}.feed_forward.w1.weight`)) layers++;
  const sizes = { kind: 'llama-gen', vocabularySize, gridSize, width, layers, heads, feedForwardWidth } as const;
  const options = {
    ...(given.rope_base === undefined ? {} : { ropeBase: given.rope_base }),
    ...(given.norm_eps === undefined ? {} : { normEpsilon: given.norm_eps }),
  };
  const classes = tensors.get('cls_embedding.embedding_table.weight');
  if (classes) return checkLlamaGenConfig({ ...sizes, ...options, classes: classes.shape[0]! - 1 }, source);
  const [textLength, textWidth] = sizesOf('cls_embedding.uncond_embedding');
  return checkLlamaGenConfig({ ...sizes, ...options, textWidth, textLength }, source);
}

/**
 * Takes a LlamaGen decoder out of its checkpoint, whose names are those used here.
 *
 * @throws CheckpointError that names a tensor which is missing, unknown or of another shape.
 */
export function importLlamaGen(published: Checkpoint, config: LlamaGenConfig): Checkpoint {
  const declared = decoderParameters(config);
  const { tensors } = findModel(
    published,
    [...declared.keys()].map((name) => [name]),
  );
  // Rotary positions, which are computed here.
  const weights = new Map([...tensors].filter(([name]) => name !== 'freqs_cis'));
  matchParameters(declared, weights, { isUnneeded: () => false });
  return weights;
}
