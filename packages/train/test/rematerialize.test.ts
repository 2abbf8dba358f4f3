import { expect, test } from 'vitest';
import { segmentOf } from '../src/run/options.js';

test.each([
  ['layers.3.self_attn.q_proj', 'layers.3'],
  ['layers.12', 'layers.12'],
  ['text_encoder.encoder.layer.0.attention.self.query', 'text_encoder.encoder.layer.0'],
  ['encoder.down.1.block.0.conv1', 'encoder.down.1.block.0'],
  ['decoder.mid.attn_1.norm', 'decoder.mid.attn_1'],
  ['embed_tokens', undefined],
  ['', undefined],
])('the layer %s is in the segment %s', (layer, segment) => {
  expect(segmentOf(layer)).toBe(segment);
});
