/**
 * Published VQ-GANs: the `.yaml` and the Lightning `.ckpt` of CompVis/taming-transformers, the `config.json` and the
 * `flax_model.msgpack` of patil-suraj/vqgan-jax, the `detoker.pt` of kuprel/min-dalle, which is the decoder half, the `config.yaml` and
 * `stage1_last.ckpt` of kakaobrain/minDALL-E, and the `vq_ds16_c2i.pt` and others of FoundationVision/LlamaGen. The layout of vqgan-jax
 * can also be written.
 */
import {
  ConfigError,
  type Field,
  type Fields,
  field,
  list,
  number,
  object,
  oneOf,
  optional,
  readConfig,
  refuse,
} from '@dalle-mini/core';
import type { Shape } from '@dalle-mini/graph';
import { matchParameters } from '@dalle-mini/graph/stored';
import {
  type Checkpoint,
  CheckpointError,
  findModel,
  refuseUnknownOptions,
  type StoredTensor,
  transposeInPlace,
} from '@dalle-mini/weights';
import { checkVqganConfig, type VqganConfig, vqganSizeFields } from './config.js';
import { discriminatorPrefix } from './discriminator.js';
import { vqganParameters } from './vqgan.js';

/** The fields in the files of both repositories: `DDConfig` of Taming, and most of `VQGANConfig` of vqgan-jax. */
interface PublishedSizes {
  readonly resolution: number;
  readonly in_channels: number;
  readonly out_ch: number;
  readonly ch: number;
  readonly ch_mult: readonly number[];
  readonly num_res_blocks: number;
  readonly attn_resolutions: readonly number[];
  readonly z_channels: number;
  readonly double_z: boolean;
  readonly resamp_with_conv: boolean;
  readonly give_pre_end: boolean;
}

interface VqganJaxConfig extends PublishedSizes {
  readonly embed_dim: number;
  readonly n_embed: number;
  readonly pixel_range: readonly number[];
}

interface TamingConfig {
  readonly model: {
    readonly target: string;
    readonly params: {
      readonly ddconfig: PublishedSizes;
      readonly embed_dim: number;
      readonly n_embed: number;
      readonly remap?: null | undefined;
    };
  };
}

// A file may have more fields, which concern training. Its writers give null to those that they leave out.
const rules = {
  unknown: 'ignore',
  nullIsAbsent: true,
  check({ in_channels, out_ch }: PublishedSizes, at: (name: keyof PublishedSizes) => string) {
    if (out_ch !== in_channels) refuse(at('out_ch'), `equal to in_channels, ${in_channels}`, out_ch);
  },
} as const;

const publishedSizes: Fields<PublishedSizes> = {
  resolution: vqganSizeFields.resolution,
  in_channels: vqganSizeFields.inChannels,
  out_ch: vqganSizeFields.inChannels,
  ch: vqganSizeFields.ch,
  ch_mult: optional(vqganSizeFields.chMult, [1, 2, 4, 8]),
  num_res_blocks: vqganSizeFields.numResBlocks,
  attn_resolutions: vqganSizeFields.attnResolutions,
  z_channels: vqganSizeFields.zChannels,
  // Taming's default is true, which this model does not have.
  double_z: oneOf([false]),
  resamp_with_conv: optional(oneOf([true]), true),
  give_pre_end: optional(oneOf([false]), false),
};

/** The sizes of f16-16384, which published code takes for those that a file leaves out. */
const sizesOfF16 = {
  ...publishedSizes,
  resolution: optional(vqganSizeFields.resolution, 256),
  in_channels: optional(vqganSizeFields.inChannels, 3),
  out_ch: optional(vqganSizeFields.inChannels, 3),
  ch: optional(vqganSizeFields.ch, 128),
  ch_mult: optional(vqganSizeFields.chMult, [1, 1, 2, 2, 4]),
  num_res_blocks: optional(vqganSizeFields.numResBlocks, 2),
  attn_resolutions: optional(vqganSizeFields.attnResolutions, [16]),
  z_channels: optional(vqganSizeFields.zChannels, 256),
  double_z: optional(oneOf([false]), false),
};

/** With the defaults of `VQGANConfig`. `n_embed` must be given: otherwise any `config.json` would be accepted. */
const vqganJaxConfig = object<VqganJaxConfig>(
  {
    ...sizesOfF16,
    embed_dim: optional(vqganSizeFields.embedDim, 256),
    n_embed: vqganSizeFields.nEmbed,
    pixel_range: optional(list(number(), { min: 2, max: 2 }), [0, 1]),
  },
  rules,
);

/** The kind of quantizer, by the name of Taming's class. */
const quantizers = new Map<string, 'nearest' | 'gumbel'>([
  ['VQModel', 'nearest'],
  ['VQNoDiscModel', 'nearest'],
  ['GumbelVQ', 'gumbel'],
]);
const quantizerOf = (target: unknown) => quantizers.get(String(target).split('.').at(-1)!);
const targets = [...quantizers.keys()].map((name) => `taming.models.vqgan.${name}`).join(', ');

const ignore = { unknown: 'ignore', nullIsAbsent: true } as const;

/** `stage1` of minDALL-E's `config.yaml`, with its defaults. Its model is Taming's. */
const minDalleEConfig = object(
  {
    type: optional(oneOf(['vqgan']), 'vqgan'),
    embed_dim: optional(vqganSizeFields.embedDim, 256),
    n_embed: optional(vqganSizeFields.nEmbed, 16384),
    hparams: object<PublishedSizes>(
      {
        ...sizesOfF16,
      },
      rules,
    ),
  },
  { nullIsAbsent: true },
);
const tamingConfig: Field<TamingConfig> = object<TamingConfig>(
  {
    model: object<TamingConfig['model']>(
      {
        target: field(`one of ${targets}`, (value) => quantizerOf(value) !== undefined),
        params: object<TamingConfig['model']['params']>(
          {
            ddconfig: object(publishedSizes, rules),
            embed_dim: vqganSizeFields.embedDim,
            n_embed: vqganSizeFields.nEmbed,
            remap: optional(oneOf([null])),
          },
          ignore,
        ),
      },
      ignore,
    ),
  },
  ignore,
);

/**
 * Reads a published configuration: a parsed `config.json` of vqgan-jax or `.yaml` of Taming. What the file leaves out has the default
 * of the published code. A published `config.json` does not state the values of pixels: they are taken to be in [0, 1], as DALL·E
 * Mini decodes them. Set `pixelRange` to [−1, 1] for another port of one of Taming's models. {@link exportVqganConfig} does state
 * them.
 *
 * @param source What is read, to begin an error message with, such as the file's path.
 * @throws ConfigError that names a field of the file whose value is wrong, or which this model does not have.
 */
export function importVqganConfig(json: object, source = 'VQ-GAN config'): VqganConfig {
  if ('model' in json) {
    const { target, params } = readConfig(tamingConfig, json, source).model;
    const given = (json as { model: { params: { ddconfig: object } } }).model.params;
    refuseUnknownOptions(given, source, 'model.params.');
    refuseUnknownOptions(given.ddconfig, source, 'model.params.ddconfig.');
    return checkVqganConfig(
      {
        ...importSizes(params.ddconfig),
        embedDim: params.embed_dim,
        nEmbed: params.n_embed,
        quantizer: quantizerOf(target),
      },
      source,
    );
  }
  if ('stage1' in json) {
    const { hparams, embed_dim, n_embed } = readConfig(
      object({ stage1: minDalleEConfig }, ignore),
      json,
      source,
    ).stage1;
    return checkVqganConfig({ ...importSizes(hparams), embedDim: embed_dim, nEmbed: n_embed }, source);
  }
  const config = readConfig(vqganJaxConfig, json, source);
  refuseUnknownOptions(json, source);
  return checkVqganConfig(
    { ...importSizes(config), embedDim: config.embed_dim, nEmbed: config.n_embed, pixelRange: config.pixel_range },
    source,
  );
}

function importSizes(sizes: PublishedSizes): Omit<VqganConfig, 'embedDim' | 'nEmbed'> {
  return {
    resolution: sizes.resolution,
    inChannels: sizes.in_channels,
    ch: sizes.ch,
    chMult: sizes.ch_mult,
    numResBlocks: sizes.num_res_blocks,
    attnResolutions: sizes.attn_resolutions,
    zChannels: sizes.z_channels,
  };
}

/**
 * Returns the `config.json` of a VQ-GAN in the layout of vqgan-jax: the inverse of {@link importVqganConfig}. `pixel_range` is an
 * addition, which only this package reads.
 *
 * @throws ConfigError that names a field which vqgan-jax does not have.
 */
export function exportVqganConfig(config: VqganConfig): Record<string, unknown> {
  checkExportable(config);
  return {
    resolution: config.resolution,
    in_channels: config.inChannels,
    out_ch: config.inChannels,
    ch: config.ch,
    ch_mult: config.chMult,
    num_res_blocks: config.numResBlocks,
    attn_resolutions: config.attnResolutions,
    z_channels: config.zChannels,
    embed_dim: config.embedDim,
    n_embed: config.nEmbed,
    double_z: false,
    resamp_with_conv: true,
    give_pre_end: false,
    dropout: 0,
    pixel_range: config.pixelRange ?? [-1, 1],
  };
}

function checkExportable(config: VqganConfig): void {
  checkVqganConfig(config);
  const published = {
    quantizer: 'nearest',
    normalizeCodes: false,
    midAttention: true,
    normGroups: 32,
    decoderOnly: false,
    decoderChMult: config.chMult,
  } as const;
  for (const field of Object.keys(published) as (keyof typeof published)[]) {
    const value = JSON.stringify(config[field] ?? published[field]);
    const only = JSON.stringify(published[field]);
    if (value !== only)
      throw new ConfigError('VQ-GAN config', field, `must be ${only} to be exported for vqgan-jax, not ${value}.`);
  }
}

/**
 * Takes the parameters of a VQ-GAN out of a checkpoint in any published layout. Returns its tensors under the names and in the layouts of
 * `vqganParameters`, quantized ones with all their parts. Names may have a prefix, such as `module.` or `first_stage_model.`: see
 * `findModel`. Tensors that only training needs stay in `checkpoint`; so do those of the encoder if the model has only the decoder.
 *
 * No memory is copied: the returned tensors are removed from `checkpoint`, and flax's kernels, `[height, width, in, out]`, are transposed in
 * place.
 *
 * @throws CheckpointError that names a tensor which is missing, has another shape, or is not known.
 */
export function importVqgan(checkpoint: Checkpoint, config: VqganConfig): Checkpoint {
  const declared = vqganParameters(config);
  const published = [...declared].map(([name, { shape }]) => [name, publishedNames(name, shape, config)] as const);
  const names = new Map(published.flatMap(([name, others]) => others.map((other) => [other, name] as const)));
  const { prefix, tensors } = findModel(
    checkpoint,
    published.map(([name, others]) => [name, ...others]),
  );
  const parameters: Checkpoint = new Map();
  for (const [path, tensor] of tensors) {
    if (trainingOnly.test(path) || (config.decoderOnly && encoderOnly.test(path))) continue;
    checkpoint.delete(prefix + path);
    parameters.set(names.get(path) ?? path, path.endsWith('/kernel') ? toOihw(tensor) : tensor);
  }
  if (!config.decoderOnly && ![...parameters.keys()].some((name) => encoderOnly.test(name)))
    throw new CheckpointError('The weights have no encoder. Set decoderOnly to true in the configuration.');
  matchParameters(declared, parameters, { isUnneeded: () => false });
  return parameters;
}

/**
 * Returns the parameters of a VQ-GAN in the layout of vqgan-jax: the inverse of {@link importVqgan}. Tensors that the model does not
 * have are left out; those whose elements stay in their places share their memory.
 *
 * @throws CheckpointError that names a tensor which is missing or has another shape; ConfigError as {@link exportVqganConfig}.
 */
export function exportVqgan(parameters: ReadonlyMap<string, StoredTensor>, config: VqganConfig): Checkpoint {
  checkExportable(config);
  const declared = vqganParameters(config);
  matchParameters(declared, parameters);
  return new Map(
    [...declared].map(([name, { shape }]) => {
      const published = flaxName(name, shape);
      const tensor = parameters.get(name)!;
      return [published, published.endsWith('/kernel') ? toHwio(tensor) : tensor];
    }),
  );
}

/**
 * Takes the parameters of the discriminator out of a checkpoint of Taming's training, under their names there without a prefix such as
 * `module.`: `loss.discriminator.main.0.weight`. Returns none if there are none, as in checkpoints for inference.
 *
 * No memory is copied: the returned tensors are removed from `checkpoint`.
 */
export function importDiscriminator(checkpoint: Checkpoint): Checkpoint {
  const parameters: Checkpoint = new Map();
  for (const [name, tensor] of [...checkpoint]) {
    const start = name.indexOf(discriminatorPrefix);
    if (start !== 0 && name[start - 1] !== '.') continue;
    checkpoint.delete(name);
    parameters.set(name.slice(start), tensor);
  }
  return parameters;
}

/** Tensors of Taming's training: the losses, with discriminator and LPIPS, and the colors of segmentation maps; and of LlamaGen's: codes that were used. */
const trainingOnly = /^(loss\.|colorize$|quantize\.codebook_used$)/;
const encoderOnly = /^(encoder|quant_conv|quantize\.proj)[./]/;

/**
 * The names of a parameter in published checkpoints other than Taming's, which has the name here: vqgan-jax's, LlamaGen's, and min-dalle's
 * of the codebook.
 */
function publishedNames(name: string, shape: Shape, { chMult, decoderChMult = chMult }: VqganConfig): string[] {
  const others = [flaxName(name, shape), llamaGenName(name, decoderChMult.length)].filter((other) => other !== name);
  return name === 'quantize.embedding.weight' ? [...others, 'embedding.weight'] : others;
}

/** The name of a parameter in LlamaGen, whose decoder lists its levels in the order in which they are computed. */
function llamaGenName(name: string, levels: number): string {
  const middle = { block_1: 0, attn_1: 1, block_2: 2 } as const;
  return name
    .replace(/^encoder\.down\.(\d+)/, 'encoder.conv_blocks.$1')
    .replace(/^decoder\.up\.(\d+)/, (_, level) => `decoder.conv_blocks.${levels - 1 - Number(level)}`)
    .replace(/(conv_blocks\.\d+)\.block/, '$1.res')
    .replace(/\.mid\.(block_1|attn_1|block_2)/, (_, part: keyof typeof middle) => `.mid.${middle[part]}`);
}

/**
 * Reads the configuration of LlamaGen's tokenizer from the shapes of its weights: a VQ-GAN with attention at the lowest level, and codes
 * of length 1.
 *
 * @param gridSize Width of the token grid: the same weights serve images of any size.
 * @throws CheckpointError if they are not those of such a tokenizer.
 */
export function importLlamaGenTokenizerConfig(
  shapes: ReadonlyMap<string, { readonly shape: Shape }>,
  gridSize: number,
  source = 'LlamaGen tokenizer',
): VqganConfig {
  const { tensors } = findModel(shapes as ReadonlyMap<string, never>, [
    ['encoder.conv_blocks.0.res.0.conv1.weight'],
    ['encoder.conv_in.weight'],
  ]) as unknown as { readonly tensors: ReadonlyMap<string, { readonly shape: Shape }> };
  const shapeOf = (name: string) => {
    const shape = tensors.get(name)?.shape;
    if (!shape)
      throw new CheckpointError(`${source} must have the tensor ${name} of LlamaGen. Download the file again.`);
    return shape;
  };
  const count = (name: (i: number) => string) => {
    let i = 0;
    while (tensors.has(name(i))) i++;
    return i;
  };
  const levels = count((level) => `encoder.conv_blocks.${level}.res.0.conv1.weight`);
  shapeOf('encoder.conv_blocks.0.res.0.conv1.weight');
  const [ch, inChannels] = shapeOf('encoder.conv_in.weight') as readonly [number, number];
  const [nEmbed, embedDim] = shapeOf('quantize.embedding.weight') as readonly [number, number];
  const config: VqganConfig = {
    resolution: gridSize * 2 ** (levels - 1),
    inChannels,
    ch,
    chMult: Array.from(
      { length: levels },
      (_, level) => shapeOf(`encoder.conv_blocks.${level}.res.0.conv1.weight`)[0]! / ch,
    ),
    numResBlocks: count((block) => `encoder.conv_blocks.0.res.${block}.conv1.weight`),
    attnResolutions: [gridSize],
    zChannels: shapeOf('encoder.conv_out.weight')[0]!,
    embedDim,
    nEmbed,
    normalizeCodes: true,
  };
  return checkVqganConfig(config, source);
}

/** The name of a parameter in vqgan-jax: `encoder.down.0.block.0.norm1.weight` is `encoder/down_0/block_0/norm1/scale`. */
function flaxName(name: string, shape: Shape): string {
  const weight = shape.length === 4 ? 'kernel' : shape.length === 2 ? 'embedding' : 'scale';
  return name
    .replace(/\.(\d+)/g, '_$1')
    .replace(/\.weight$/, `.${weight}`)
    .replaceAll('.', '/');
}

/** A convolution's kernel `[height, width, in, out]` as `[out, in, height, width]`, in the same memory. */
function toOihw(tensor: StoredTensor): StoredTensor {
  // A tensor of another rank is refused when all shapes are checked.
  return tensor.shape.length === 4 ? transposeInPlace(tensor, [3, 2, 0, 1]) : tensor;
}

/** The inverse of {@link toOihw}, in new memory. */
function toHwio(tensor: StoredTensor): StoredTensor {
  return transposeInPlace({ ...tensor, bytes: new Uint8Array(tensor.bytes) }, [2, 3, 1, 0]);
}
