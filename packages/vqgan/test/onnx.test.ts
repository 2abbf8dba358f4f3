import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { compiledAndReopened } from '@dalle-mini/testing/onnx-file';
import { randomParameters, attentiveVqgan as tiny } from '@dalle-mini/testing/tiny-vqgan';
import { Values } from '@dalle-mini/testing/values';
import { decodeGraph, encodeGraph, type VqganConfig } from '@dalle-mini/vqgan';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const kinds: [string, VqganConfig][] = [
  ['a VQ-GAN', tiny],
  ['one with the Gumbel quantizer', { ...tiny, quantizer: 'gumbel' }],
  ['a decoder only', { ...tiny, decoderOnly: true }],
  ['one with larger images than its encoder reads', { ...tiny, chMult: [2], decoderChMult: [1, 2] }],
];

describe('written as ONNX models', () => {
  test.each(kinds)('%s decodes to the same pixels', async (_, config) => {
    const tokens = new Values(1).integers([1, 64], 0, config.nEmbed);
    const parameters = randomParameters(config, 1);
    const { compiled, reopened } = await compiledAndReopened(runtime, decodeGraph(config), parameters, { tokens });
    expect(compiled.images!.shape).toEqual([1, 3, 16, 16]);
    expect(reopened).toEqual(compiled);
  });

  test.each(kinds.filter(([, { decoderOnly }]) => !decoderOnly))('%s encodes to the same tokens', async (_, config) => {
    const images = new Values(2).floats([2, 3, 16, 16]);
    const parameters = randomParameters(config, 1);
    const graph = encodeGraph(config, [2, 3, 16, 16]);
    const { compiled, reopened } = await compiledAndReopened(runtime, graph, parameters, { images });
    expect(compiled.tokens!.shape).toEqual([2, 64]);
    expect(reopened).toEqual(compiled);
  });
});
