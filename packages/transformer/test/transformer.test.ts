import { input, ParameterScope } from '@dalle-mini/graph';
import { createStack, decoder, encoder, paddingMask, readText } from '@dalle-mini/transformer';
import { expect, test } from 'vitest';

const sizes = { width: 8, layers: 1, heads: 2, feedForwardWidth: 12 };
const stackInput = { tokens: 9, positions: 4, depths: { encoder: 1, decoder: 1 } };
const ids = input('ids', [2, 4], 'int32');
const mask = input('attentionMask', [2, 4], 'int32');

test('an encoder layer has the parameters of the published models', () => {
  const scope = new ParameterScope();
  const hiddenStates = encoder(scope, createStack('encoder', sizes, stackInput), ids, mask);
  expect(hiddenStates.shape).toEqual([2, 4, 8]);
  expect([...scope.parameters].map(([name, { shape }]) => `${name} ${shape}`).sort()).toEqual([
    'embed_positions.weight 4,8',
    'embed_tokens.weight 9,8',
    'final_ln.bias 8',
    'layernorm_embedding.bias 8',
    'layernorm_embedding.weight 8',
    'layers.0.glu.fc0.weight 12,8',
    'layers.0.glu.fc1.weight 12,8',
    'layers.0.glu.fc2.weight 8,12',
    'layers.0.glu.ln0.bias 8',
    'layers.0.glu.ln1.bias 12',
    'layers.0.pre_self_attn_layer_norm.bias 8',
    'layers.0.self_attn.k_proj.weight 8,8',
    'layers.0.self_attn.out_proj.weight 8,8',
    'layers.0.self_attn.q_proj.weight 8,8',
    'layers.0.self_attn.v_proj.weight 8,8',
    'layers.0.self_attn_layer_norm.bias 8',
    'layers.0.self_attn_layer_norm.weight 8',
  ]);
});

test('a decoder layer has those, and the same of cross-attention', () => {
  const [ofEncoder, ofDecoder] = [new ParameterScope(), new ParameterScope()];
  encoder(ofEncoder, createStack('encoder', sizes, stackInput), ids, mask);
  const stack = createStack('decoder', sizes, stackInput);
  const text = { layers: readText(ofDecoder, stack, input('text', [2, 4, 8])), mask: paddingMask(mask) };
  const { hiddenStates, written } = decoder(ofDecoder, stack, ids, input('positions', [4], 'int32'), text);
  expect(hiddenStates.shape).toEqual([2, 4, 8]);
  expect(written.map(({ keys, values }) => [keys.shape, values.shape])).toEqual([
    [
      [2, 2, 4, 4],
      [2, 2, 4, 4],
    ],
  ]);
  const names = [...ofEncoder.parameters.keys()];
  const cross = names.filter((name) => name.includes('self_attn')).map((name) => name.replace('self', 'encoder'));
  expect([...ofDecoder.parameters.keys()].sort()).toEqual([...names, ...cross].sort());
});

test('an option that is undefined has its default', () => {
  expect(createStack('encoder', { ...sizes, gated: undefined }, stackInput)).toEqual(
    createStack('encoder', sizes, stackInput),
  );
});
