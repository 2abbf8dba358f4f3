/** The `VQModel` of diffusers, such as aMUSEd's: the same network as Taming's, with other names. */
import { boolean, integer, list, object, oneOf, optional, readConfig, refuse } from '@dalle-mini/core';
import { checkVqganConfig, vqganSizeFields as sizes, type VqganConfig } from './config.js';
import { vqganParameters } from './vqgan.js';

/** `vqvae/config.json`. Other fields are those of training and of versions. */
const vqModelConfig = object(
  {
    in_channels: optional(sizes.inChannels, 3),
    out_channels: optional(sizes.inChannels, 3),
    down_block_types: list(oneOf(['DownEncoderBlock2D'])),
    up_block_types: list(oneOf(['UpDecoderBlock2D'])),
    block_out_channels: list(sizes.ch, { min: 1, max: 12 }),
    layers_per_block: optional(integer({ min: 1, max: 64 }), 1),
    act_fn: optional(oneOf(['silu']), 'silu'),
    latent_channels: optional(sizes.zChannels, 3),
    num_vq_embeddings: optional(sizes.nEmbed, 256),
    norm_num_groups: optional(integer({ min: 1 }), 32),
    vq_embed_dim: optional(sizes.embedDim),
    norm_type: optional(oneOf(['group']), 'group'),
    // Its attention is a linear layer, which this model does not have.
    mid_block_add_attention: optional(oneOf([false])),
    lookup_from_codebook: optional(boolean(), false),
  },
  {
    unknown: 'ignore',
    nullIsAbsent: true,
    check({ block_out_channels: channels, in_channels, out_channels, mid_block_add_attention }, at) {
      const odd = channels.find((count) => count % channels[0]! !== 0);
      if (odd !== undefined) refuse(at('block_out_channels'), 'multiples of the first of them', channels);
      if (out_channels !== in_channels)
        refuse(at('out_channels'), `equal to in_channels, ${in_channels}`, out_channels);
      if (mid_block_add_attention === undefined) refuse(at('mid_block_add_attention'), 'false', true);
    },
  },
);

/**
 * Reads the parsed `config.json` of a `VQModel` of diffusers, whose pixels are in [0, 1], as aMUSEd's.
 *
 * @param resolution Width and height of the images in pixels, which the file does not have.
 * @throws ConfigError that names a field of the file whose value is wrong, or which this model does not have.
 */
export function importVqModelConfig(json: object, resolution: number, source = 'vqvae/config.json'): VqganConfig {
  const published = readConfig(vqModelConfig, json, source);
  const { block_out_channels: channels, latent_channels: zChannels, norm_num_groups: normGroups } = published;
  const config: VqganConfig = {
    resolution,
    inChannels: published.in_channels!,
    ch: channels[0]!,
    chMult: channels.map((count) => count / channels[0]!),
    numResBlocks: published.layers_per_block!,
    attnResolutions: [],
    midAttention: false,
    zChannels: zChannels!,
    embedDim: published.vq_embed_dim ?? zChannels!,
    nEmbed: published.num_vq_embeddings!,
    ...(normGroups === 32 ? {} : { normGroups }),
    pixelRange: [0, 1],
  };
  return checkVqganConfig(config, source);
}

/** Returns the name in a `VQModel` of each parameter of the VQ-GAN. */
export function vqModelNames(config: VqganConfig): ReadonlyMap<string, string> {
  const last = config.chMult.length - 1;
  return new Map([...vqganParameters(config).keys()].map((name) => [name, vqModelName(name, last)]));
}

function vqModelName(name: string, lastLevel: number): string {
  return (
    name
      .replace(/\bdown\.(\d+)\.block\./, 'down_blocks.$1.resnets.')
      .replace(/\bdown\.(\d+)\.downsample\./, 'down_blocks.$1.downsamplers.0.')
      // Levels of the decoder are counted from the smallest images.
      .replace(/\bup\.(\d+)\./, (_, level) => `up_blocks.${lastLevel - Number(level)}.`)
      .replace(/(\bup_blocks\.\d+)\.block\./, '$1.resnets.')
      .replace(/(\bup_blocks\.\d+)\.upsample\./, '$1.upsamplers.0.')
      .replace(/\bmid\.block_(\d)\./, (_, block) => `mid_block.resnets.${Number(block) - 1}.`)
      .replace('.nin_shortcut.', '.conv_shortcut.')
      .replace('.norm_out.', '.conv_norm_out.')
  );
}
