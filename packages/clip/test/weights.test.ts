import { clipWeights } from '@dalle-mini/clip';
import { quantize } from '@dalle-mini/graph';
import { type Checkpoint, CheckpointError, fromFloat32, fromInt32 } from '@dalle-mini/weights';
import { describe, expect, it } from 'vitest';
import { openaiWeights, relativeError, tinyClip } from './fixtures.js';

const { config, weights } = tinyClip('patch-16');
const fused = 'visual.transformer.resblocks.1.attn.in_proj_bias';

const without = (checkpoint: Checkpoint, name: string): Checkpoint => {
  expect(checkpoint.has(name)).toBe(true);
  return new Map([...checkpoint].filter(([other]) => other !== name));
};

describe('clipWeights', () => {
  it("reads OpenAI's layout to the same values as Hugging Face's", () => {
    const openai = clipWeights(openaiWeights(), config);
    const huggingFace = clipWeights(weights, config);
    expect([...openai.keys()]).toEqual([...huggingFace.keys()]);
    for (const [name, tensor] of huggingFace) expect(openai.get(name), name).toEqual(tensor);
  });

  it('ignores what the model does not need, and OpenAI’s numbers beside the weights', () => {
    const more = new Map([
      ...openaiWeights(),
      ['context_length', fromInt32(Int32Array.of(77), [])] as const,
      ['other.weight', fromFloat32(Float32Array.of(1), [1])] as const,
    ]);
    expect(clipWeights(more, config)).toEqual(clipWeights(weights, config));
  });

  it('reads 8 bits with scales', () => {
    const matrix = 'vision_model.encoder.layers.0.mlp.fc1.weight';
    const exact = clipWeights(weights, config).get(matrix)!.data as Float32Array;
    // Half of a step of 1/127 of a row's largest value.
    expect(relativeError(clipWeights(quantize(weights), config).get(matrix)!.data, exact)).toBeLessThan(0.5 / 127);
  });

  it.each<[string, Checkpoint, RegExp]>([
    ['lacks a tensor', without(weights, 'visual_projection.weight'), /no tensor visual_projection.weight/],
    ["lacks a tensor of OpenAI's", without(openaiWeights(), fused), new RegExp(`no tensor ${fused}`)],
    [
      'has one of another shape',
      new Map([...weights, ['logit_scale', fromFloat32(new Float32Array(2), [2])]]),
      /logit_scale has shape \[2\].* asks for \[\]/,
    ],
    [
      "has one of OpenAI's of another shape",
      new Map([...openaiWeights(), [fused, fromFloat32(new Float32Array(24), [24])]]),
      /in_proj_bias has shape \[24\].* asks for \[72\]/,
    ],
    [
      'has a projection that is not transposed',
      new Map([...openaiWeights(), ['visual.proj', fromFloat32(new Float32Array(12 * 24), [12, 24])]]),
      /visual.proj has shape \[12,24\].* asks for \[24,12\]/,
    ],
    ['is of another model', new Map([['visual.layer1.0.conv1.weight', weights.get('logit_scale')!]]), /no CLIP with/],
  ])('refuses a checkpoint that %s', (_, checkpoint, message) => {
    expect(() => clipWeights(checkpoint, config)).toThrow(CheckpointError);
    expect(() => clipWeights(checkpoint, config)).toThrow(message);
  });
});
