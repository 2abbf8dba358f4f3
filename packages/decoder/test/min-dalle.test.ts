import { readFileSync } from 'node:fs';
import {
  checkDecoderConfig,
  DalleMiniDecoder,
  type DecoderConfig,
  decoderParameters,
  exportConfig,
} from '@dalle-mini/decoder';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { hiddenStatesOf, integers, relativeError } from '@dalle-mini/testing/published';
import { type BartConfig, bartParameters } from '@dalle-mini/text-encoder';
import { type Checkpoint, readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const file = new URL('../../testing/fixtures/min-dalle.safetensors', import.meta.url);
const { tensors } = readSafetensors(readFileSync(file));
const part = (name: string): Checkpoint =>
  new Map([...tensors].filter(([key]) => key.startsWith(`${name}/`)).map(([key, tensor]) => [key.slice(8), tensor]));

const sizes = { width: 16, layers: 2, heads: 2, feedForwardWidth: 24, forceNormScale: true };
const textEncoder: BartConfig = { vocabularySize: 30, maxLength: 8, ...sizes };
// The image tokens are 40, of which the last begins an image, and a row that is not used.
const decoder: DecoderConfig = {
  vocabularySize: 40,
  beginToken: 39,
  gridSize: 4,
  textWidth: 16,
  textLength: 8,
  ...sizes,
};
const tokens = toInt32(tensors.get('text_tokens')!);
const attentionMask = tokens.map((token) => (token === 1 ? 0 : 1));

describe("min-dalle's models, with scales of all norms", () => {
  test('have the hidden states of its code', async () => {
    const declared = bartParameters(textEncoder);
    const parameters = bindParameters(declared, part('encoder'), { isUnneeded: () => false });
    const given = {
      ids: integers(tensors.get('text_tokens')!),
      attentionMask: { dtype: 'int32', shape: [2, 8], data: attentionMask } as const,
    };
    const hiddenStates = await hiddenStatesOf(runtime, textEncoder, parameters as never, given);
    expect(relativeError(hiddenStates, tensors.get('hidden_states')!)).toBeLessThan(1e-5);
  });

  test('decode to exactly the tokens of its code, from its begin token', async () => {
    const declared = decoderParameters(decoder);
    const parameters = bindParameters(declared, part('decoder'), { isUnneeded: () => false });
    const hidden = toFloat32(tensors.get('hidden_states')!);
    const row = (index: number) => ({
      batch: 1,
      length: 8,
      width: 16,
      hiddenStates: hidden.slice(index * 128, (index + 1) * 128),
      attentionMask: attentionMask.slice(index * 8, (index + 1) * 8),
    });
    const generate = async (config: DecoderConfig) => {
      const made = new DalleMiniDecoder(config, parameters, { runtime });
      const [grid] = await made.generate(row(1), { temperature: 0, guidanceScale: 4, unconditional: row(0) });
      await made.dispose();
      return [...grid!];
    };
    const expected = [...toInt32(tensors.get('greedy_tokens')!)];
    expect(await generate(decoder)).toEqual(expected);
    const { beginToken, ...published } = decoder;
    expect(await generate(published)).not.toEqual(expected);
  });

  test('refuse a begin token that is no row, and an export that could not tell it', () => {
    expect(() => checkDecoderConfig({ ...decoder, beginToken: 41 })).toThrow(
      'beginToken must be less than the 41 rows of the token embeddings, not 41',
    );
    expect(() => exportConfig(textEncoder, decoder)).toThrow('beginToken must be 40');
  });
});
