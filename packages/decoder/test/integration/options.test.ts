import {
  DalleMiniDecoder,
  type DecoderConfig,
  decoderParameters,
  importDecoderConfig,
  teacherForced,
} from '@dalle-mini/decoder';
import { type Initializer, input, mean, ParameterScope, square, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import { fixture, integers } from '@dalle-mini/testing/published';
import { toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { relativeError } from '../compare.js';
import { floats, parametersOf } from '../published.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const { description, tensors } = fixture(new URL('../fixtures/options', import.meta.url));
const { base, variants, initialGains } = description as {
  base: object;
  variants: Record<string, object>;
  initialGains: Record<string, Record<string, number>>;
};

describe.each(Object.entries(variants))("DALL·E Mini's published decoder, variant %s", (name, variant) => {
  const config = importDecoderConfig({ ...base, ...variant });
  // Importing checks that the parameters are exactly those of the published code.
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
    const decoder = new DalleMiniDecoder(config, weights, { runtime });
    const [batch, length, width] = tensor('hidden_states').shape as [number, number, number];
    const hiddenStates = toFloat32(tensor('hidden_states')).slice();
    const attentionMask = toInt32(tensors.get('text_mask')!).slice();
    const grids = await decoder.generate({ batch, length, width, hiddenStates, attentionMask }, { temperature: 0 });
    await decoder.dispose();
    expect(grids.flatMap((grid) => [...grid])).toEqual([...toInt32(tensor('greedy_tokens'))]);
  });
});

test.each(Object.entries(initialGains))(
  'initial weights have the standard deviations of the published code, variant %s',
  (name, gains) => {
    const parameters = decoderParameters(importDecoderConfig({ ...base, ...variants[name] }));
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

test('has finite gradients with cosine attention if hidden states are zero, as those of padding may be', async () => {
  const config = importDecoderConfig({ ...base, ...variants['cosine-attention'] });
  const scope = new ParameterScope();
  const inputs = {
    tokens: input('tokens', [1, 9], 'int32'),
    hiddenStates: input('hiddenStates', [1, 5, 16]),
    attentionMask: input('attentionMask', [1, 5], 'int32'),
  };
  const loss = mean(square(teacherForced(scope, config, inputs.tokens, inputs)));
  const keys = scope.parameters.get('layers.0.encoder_attn.k_proj.weight')!;
  const [gradient] = grad(loss, [keys]);
  const weights = parametersOf(tensors, config, 'cosine-attention/');
  const executable = await runtime.compile({ inputs, outputs: { gradient: gradient! } }, { parameters: weights });
  const result = await executable.run({
    tokens: { dtype: 'int32', shape: [1, 9], data: new Int32Array(9) },
    hiddenStates: { dtype: 'float32', shape: [1, 5, 16], data: new Float32Array(80).fill(1, 0, 48) },
    attentionMask: { dtype: 'int32', shape: [1, 5], data: Int32Array.of(1, 1, 1, 0, 0) },
  });
  await executable.dispose();
  const values = result.gradient!.data as Float32Array;
  expect(values.every(Number.isFinite)).toBe(true);
  expect(values.some((value) => value !== 0)).toBe(true);
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
