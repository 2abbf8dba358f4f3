import { type DecoderConfig, decoderParameters, teacherForced } from '@dalle-mini/decoder';
import { input, ParameterScope, type Tensor, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { afterAll, describe, expect, test } from 'vitest';
import { relativeError } from './compare.js';
import { configOf, convertAll, fixture, floats, integers, type PublishedConfig } from './published.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const { description, tensors } = await fixture('options');
const { base, variants } = description as { base: PublishedConfig; variants: Record<string, Partial<PublishedConfig>> };

describe.each(Object.entries(variants))("DALL·E Mini's published decoder, variant %s", (name, variant) => {
  const config = configOf({ ...base, ...variant });
  const weights = convertAll(tensors, config, `${name}/`);

  test('has exactly the parameters of the published code', () => {
    const shapes = (parameters: ReadonlyMap<string, Tensor | TensorData>) =>
      [...parameters].map(([parameter, { shape }]) => `${parameter} [${shape}]`).sort();
    expect(shapes(decoderParameters(config))).toEqual(shapes(weights));
  });

  test('gives the same logits at every position', async () => {
    const logits = await logitsOf(config, weights, {
      tokens: integers(tensors.get('tokens')!),
      hiddenStates: floats(tensors.get(`${name}/hidden_states`)!),
      attentionMask: integers(tensors.get('text_mask')!),
    });
    expect(relativeError(logits, floats(tensors.get(`${name}/logits`)!))).toBeLessThan(1e-4);
  });
});

async function logitsOf(
  config: DecoderConfig,
  parameters: ReadonlyMap<string, TensorData>,
  given: Record<'tokens' | 'hiddenStates' | 'attentionMask', TensorData>,
): Promise<TensorData> {
  const tokens = input('tokens', given.tokens.shape, 'int32');
  const hiddenStates = input('hiddenStates', given.hiddenStates.shape);
  const attentionMask = input('attentionMask', given.attentionMask.shape, 'int32');
  const logits = teacherForced(new ParameterScope(), config, tokens, { hiddenStates, attentionMask });
  const graph = { inputs: { tokens, hiddenStates, attentionMask }, outputs: { logits } };
  const executable = await runtime.compile(graph, { parameters });
  const result = await executable.run(given);
  await executable.dispose();
  return result.logits!;
}
