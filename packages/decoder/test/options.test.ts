import {
  DalleMiniDecoder,
  type DecoderConfig,
  decoderConfigFromRelease,
  decoderParameters,
  teacherForced,
} from '@dalle-mini/decoder';
import { type Initializer, input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { relativeError } from './compare.js';
import { fixture, floats, integers, parametersOf } from './published.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const { description, tensors } = await fixture('options');
const { base, variants, initialGains } = description as {
  base: object;
  variants: Record<string, object>;
  initialGains: Record<string, Record<string, number>>;
};

describe.each(Object.entries(variants))("DALL·E Mini's published decoder, variant %s", (name, variant) => {
  const config = decoderConfigFromRelease({ ...base, ...variant });
  // Which checks that they are exactly the parameters of the published code.
  const weights = parametersOf(tensors, config, `${name}/`);
  const tensor = (what: string) => tensors.get(`${name}/${what}`)!;

  test('gives the same logits at every position', async () => {
    const logits = await logitsOf(config, weights, {
      tokens: integers(tensor('tokens')),
      hiddenStates: floats(tensor('hidden_states')),
      attentionMask: integers(tensors.get('text_mask')!),
    });
    expect(relativeError(logits, floats(tensor('logits')))).toBeLessThan(1e-4);
  });

  test('decodes greedily to exactly the same tokens, with its cache', async () => {
    const decoder = new DalleMiniDecoder(config, weights, runtime);
    const [batch, length, hiddenSize] = tensor('hidden_states').shape as [number, number, number];
    const hiddenStates = toFloat32(tensor('hidden_states')).slice();
    const attentionMask = toInt32(tensors.get('text_mask')!).slice();
    const grids = await decoder.generate(
      { batch, length, hiddenSize, hiddenStates, attentionMask },
      { temperature: 0 },
    );
    await decoder.dispose();
    expect(grids.flatMap((grid) => [...grid])).toEqual([...toInt32(tensor('greedy_tokens'))]);
  });
});

test.each(Object.entries(initialGains))(
  'first weights are as wide as the published ones, variant %s',
  (name, gains) => {
    const parameters = decoderParameters(decoderConfigFromRelease({ ...base, ...variants[name] }));
    const wide = (parameter: string) => {
      const { attributes } = parameters.get(parameter)!.operation;
      return (attributes as { initializer: Initializer }).initializer.scale;
    };
    const attention = { self_attn: 'FlaxBartAttention_0', encoder_attn: 'FlaxBartAttention_1' };
    const gainOf = (module: string) => {
      const entries = Object.entries(gains).filter(([path]) => path.endsWith(`/${module}/kernel`));
      expect(entries.length).toBeGreaterThan(0);
      return entries[0]![1];
    };
    for (const [here, published] of Object.entries(attention)) {
      for (const projection of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) {
        const expected = 0.02 * gainOf(`${published}/${projection}`);
        expect(wide(`layers.0.${here}.${projection}.weight`)).toBeCloseTo(expected, 6);
      }
    }
    // All linear layers of a feed-forward half have one gain.
    for (const parameter of ['fc1', 'fc2'])
      expect(wide(`layers.0.glu.${parameter}.weight`)).toBeCloseTo(0.02 * gainOf('Dense_1'), 6);
  },
);

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
