import { importClip } from '@dalle-mini/clip';
import { quantize } from '@dalle-mini/graph/stored';
import { type Checkpoint, CheckpointError, fromFloat32, fromInt32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';
import { openaiWeights, relativeError, tinyClip } from './fixtures.js';

const { config, weights } = tinyClip('patch-16');
const fused = 'visual.transformer.resblocks.1.attn.in_proj_bias';

const without = (checkpoint: Checkpoint, name: string): Checkpoint => {
  expect(checkpoint.has(name)).toBe(true);
  return new Map([...checkpoint].filter(([other]) => other !== name));
};

describe('importClip', () => {
  test("reads OpenAI's layout to the same values as Hugging Face's", () => {
    const openai = importClip(openaiWeights(), config);
    const huggingFace = importClip(weights, config);
    expect([...openai.keys()]).toEqual([...huggingFace.keys()]);
    for (const [name, tensor] of huggingFace) expect(openai.get(name), name).toEqual(tensor);
  });

  test.each(['module.', 'model.', 'clip_model._orig_mod.'])('finds the model under %s, in both layouts', (prefix) => {
    for (const checkpoint of [weights, openaiWeights()]) {
      const named = new Map([...checkpoint].map(([name, tensor]) => [prefix + name, tensor]));
      expect(importClip(named, config)).toEqual(importClip(checkpoint, config));
      const scaled = new Map([...named, [`${prefix}logit_bias`, fromFloat32(Float32Array.of(1), [1])]]);
      expect(() => importClip(scaled, config)).toThrow(`${prefix}logit_bias is not a tensor of this model`);
    }
  });

  test('ignores numbers that are stored next to the weights', () => {
    const number = fromInt32(Int32Array.of(77), []);
    const openai = ['input_resolution', 'context_length', 'vocab_size'].map((name) => [name, number] as const);
    expect(importClip(new Map([...openaiWeights(), ...openai]), config)).toEqual(importClip(weights, config));
    const positions = ['text_model', 'vision_model'].map(
      (tower) => [`${tower}.embeddings.position_ids`, number] as const,
    );
    expect(importClip(new Map([...weights, ...positions]), config)).toEqual(importClip(weights, config));
  });

  test.each([
    ["Hugging Face's", 'logit_bias', weights],
    ["Hugging Face's", 'vision_model.encoder.layers.0.layer_scale1.lambda1', weights],
    ["OpenAI's", 'visual.transformer.resblocks.0.ls_1.gamma', openaiWeights()],
    ["OpenAI's", 'logit_bias', openaiWeights()],
  ])('refuses a tensor that it does not know, in %s layout: %s', (_, name, checkpoint) => {
    const more = new Map([...checkpoint, [name, fromFloat32(Float32Array.of(1), [1])]]);
    expect(() => importClip(more, config)).toThrow(CheckpointError);
    expect(() => importClip(more, config)).toThrow(`${name} is not a tensor of this model`);
  });

  test('reads 8 bits with scales', () => {
    const matrix = 'vision_model.encoder.layers.0.mlp.fc1.weight';
    const exact = importClip(weights, config).get(matrix)!.data as Float32Array;
    // Half of a step of 1/127 of a row's largest value.
    expect(relativeError(importClip(quantize(weights), config).get(matrix)!.data, exact)).toBeLessThan(0.5 / 127);
  });

  test.each<[string, Checkpoint, RegExp]>([
    ['lacks a tensor', without(weights, 'visual_projection.weight'), /visual_projection.weight is missing/],
    [
      "lacks a tensor of OpenAI's",
      without(openaiWeights(), fused),
      /vision_model.encoder.layers.1.self_attn.q_proj.bias, .* are missing/,
    ],
    [
      'has one of another shape',
      new Map([...weights, ['logit_scale', fromFloat32(new Float32Array(2), [2])]]),
      /logit_scale must have shape \[\], not \[2\]/,
    ],
    [
      "has one of OpenAI's of another shape",
      new Map([...openaiWeights(), [fused, fromFloat32(new Float32Array(24), [24])]]),
      /in_proj_bias must have shape \[72\], not \[24\]/,
    ],
    [
      'has a projection that is not transposed',
      new Map([...openaiWeights(), ['visual.proj', fromFloat32(new Float32Array(12 * 24), [12, 24])]]),
      /visual.proj must have shape \[24, 12\], not \[12, 24\]/,
    ],
    [
      'is of another model',
      new Map([['visual.layer1.0.conv1.weight', weights.get('logit_scale')!]]),
      /must be those of a CLIP with a vision transformer/,
    ],
  ])('refuses a checkpoint that %s', (_, checkpoint, message) => {
    expect(() => importClip(checkpoint, config)).toThrow(CheckpointError);
    expect(() => importClip(checkpoint, config)).toThrow(message);
  });
});
