import { readFile } from 'node:fs/promises';
import { importVqModelConfig, vqModelNames } from '@dalle-mini/vqgan';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { describe, expect, test } from 'vitest';

const folder = new URL('../../testing/fixtures/amused/256/vqvae/', import.meta.url);
const json = JSON.parse(await readFile(new URL('config.json', folder), 'utf8'));

describe('the VQModel of diffusers', () => {
  test('has the sizes of its configuration', () => {
    expect(importVqModelConfig(json, 16)).toEqual({
      resolution: 16,
      inChannels: 3,
      ch: 8,
      chMult: [1, 2, 2],
      numResBlocks: 1,
      attnResolutions: [],
      midAttention: false,
      zChannels: 6,
      embedDim: 6,
      nEmbed: 40,
      normGroups: 4,
      pixelRange: [0, 1],
    });
  });

  test('has a tensor for each parameter, and no other', async () => {
    const path = new URL('diffusion_pytorch_model.safetensors', folder).pathname;
    const { tensors } = await readCheckpointFile(path);
    const names = vqModelNames(importVqModelConfig(json, 16));
    expect([...names.values()].sort()).toEqual([...tensors.keys()].sort());
  });

  test.each([
    [{ mid_block_add_attention: true }, 'mid_block_add_attention must be false'],
    [{ mid_block_add_attention: undefined }, 'mid_block_add_attention must be false, not true.'],
    [{ norm_type: 'spatial' }, 'norm_type must be "group"'],
    [{ block_out_channels: [8, 12] }, 'block_out_channels must be multiples of the first of them'],
    [{ out_channels: 1 }, 'out_channels must be equal to in_channels, 3, not 1.'],
    [{ down_block_types: ['AttnDownEncoderBlock2D'] }, 'down_block_types[0] must be "DownEncoderBlock2D"'],
  ])('with %j is refused', (changes, message) => {
    expect(() => importVqModelConfig({ ...json, ...changes }, 16)).toThrow(message);
  });
});
