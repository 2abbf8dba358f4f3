import { DalleMiniDecoder, decoderParameters, importDecoderConfig, teacherForced } from '@dalle-mini/decoder';
import { crossEntropy, input, mean, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import { integers, whole } from '@dalle-mini/testing/published';
import { toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { relativeError } from './compare.js';
import { floats, parametersOf } from './published.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const { description, tensors } = whole;
const config = importDecoderConfig((description as { config: object }).config);
const weights = parametersOf(tensors, config);
const tensor = (name: string) => tensors.get(name)!;

function build() {
  const scope = new ParameterScope();
  const tokens = input('tokens', tensor('tokens').shape, 'int32');
  const hiddenStates = input('hiddenStates', tensor('encoder_hidden_states').shape);
  const attentionMask = input('attentionMask', tensor('text_mask').shape, 'int32');
  const logits = teacherForced(scope, config, tokens, { hiddenStates, attentionMask });
  return { scope, tokens, logits, inputs: { tokens, hiddenStates, attentionMask } };
}

const given = {
  tokens: integers(tensor('tokens')),
  hiddenStates: floats(tensor('encoder_hidden_states')),
  attentionMask: integers(tensor('text_mask')),
};

const encoding = (prefix: 'encoder' | 'empty_encoder', mask: string, captions?: number) => {
  const hidden = tensor(`${prefix}_hidden_states`);
  const [all, length, width] = hidden.shape as [number, number, number];
  const batch = captions ?? all;
  return {
    batch,
    length,
    width,
    hiddenStates: toFloat32(hidden).slice(0, batch * length * width),
    attentionMask: toInt32(tensor(mask)).slice(0, batch * length),
  };
};

describe("DALL·E Mini's published decoder", () => {
  test('has exactly the parameters of the published checkpoint', () => {
    expect([...decoderParameters(config).keys()].sort()).toEqual([...weights.keys()].sort());
  });

  test('gives the same logits at every position', async () => {
    const { logits, inputs } = build();
    const executable = await runtime.compile({ inputs, outputs: { logits } }, { parameters: weights });
    const result = await executable.run(given);
    expect(relativeError(result.logits!, floats(tensor('logits')))).toBeLessThan(1e-4);
  });

  test('has the same loss and gradients', async () => {
    const { scope, tokens, logits, inputs } = build();
    const loss = mean(crossEntropy(logits, tokens));
    const published = {
      'lm_head.weight': transposed(floats(tensor('gradient.lm_head.kernel'))),
      'embed_positions.weight': floats(tensor('gradient.model.decoder.embed_positions.embedding')),
    };
    const names = Object.keys(published);
    const gradients = grad(
      loss,
      names.map((name) => scope.parameters.get(name)!),
    );
    const outputs = { loss, ...Object.fromEntries(names.map((name, i) => [name, gradients[i]!])) };
    const executable = await runtime.compile({ inputs, outputs }, { parameters: weights });
    const result = await executable.run(given);
    expect(result.loss!.data[0]).toBeCloseTo(toFloat32(tensor('loss'))[0]!, 4);
    for (const [name, value] of Object.entries(published))
      expect(relativeError(result[name]!, value), name).toBeLessThan(1e-4);
  });

  test('decodes greedily to exactly the same tokens, with its cache', async () => {
    const decoder = new DalleMiniDecoder(config, weights, { runtime });
    const grids = await decoder.generate(encoding('encoder', 'text_mask'), { temperature: 0 });
    expect(grids.flatMap((grid) => [...grid])).toEqual([...toInt32(tensor('greedy_tokens'))]);
    await decoder.dispose();
  });

  test('decodes greedily to exactly the same tokens under super conditioning', async () => {
    const decoder = new DalleMiniDecoder(config, weights, { runtime });
    const unconditional = encoding('empty_encoder', 'empty_text_mask', 1);
    const grids = await decoder.generate(encoding('encoder', 'text_mask'), {
      temperature: 0,
      guidanceScale: 3,
      unconditional,
    });
    expect(grids.flatMap((grid) => [...grid])).toEqual([...toInt32(tensor('guided_greedy_tokens'))]);
    await decoder.dispose();
  });
});

function transposed({ dtype, shape, data }: TensorData): TensorData {
  const [rows, columns] = shape as [number, number];
  const values = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
  return { dtype, shape: [columns, rows], data: values } as TensorData;
}
