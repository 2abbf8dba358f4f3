import { parametersOf, type TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { captionBert } from '@dalle-mini/testing/tiny-training';
import { bertGraph, bertWeights, type HuggingFaceFiles, parseBertConfig } from '@dalle-mini/text-encoder';
import { textEncoderParameters, textEncoderWeights, trainedTextEncoder } from '@dalle-mini/train';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const { files, parameters } = captionBert;

const renamed = (weights: Checkpoint, rename: (name: string) => string): Checkpoint =>
  new Map([...weights].map(([name, tensor]) => [rename(name), tensor]));

/** Converts tensors of PyTorch to the names and layout of Flax. */
function asFlax(values: ReadonlyMap<string, TensorData>): Checkpoint {
  const checkpoint: Checkpoint = new Map();
  for (const [name, { data, shape }] of values) {
    const path = name.replaceAll('.', '/');
    const kind = name.includes('embeddings.') ? 'embedding' : 'kernel';
    if (name.endsWith('LayerNorm.weight'))
      checkpoint.set(path.replace(/weight$/, 'scale'), fromFloat32(data as Float32Array, shape));
    else if (kind === 'embedding' || !name.endsWith('.weight'))
      checkpoint.set(path.replace(/weight$/, kind), fromFloat32(data as Float32Array, shape));
    else {
      const [rows, columns] = shape as [number, number];
      const transposed = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
      checkpoint.set(path.replace(/weight$/, kind), fromFloat32(transposed, [columns, rows]));
    }
  }
  return checkpoint;
}

describe('a pretrained text encoder', () => {
  const layouts: Record<string, Checkpoint> = {
    'of a bare model': files.weights,
    'of a model with a head': new Map([
      ...renamed(files.weights, (name) => `bert.${name}`),
      ['cls.predictions.bias', fromFloat32(new Float32Array(12), [12])],
    ]),
    'converted from TensorFlow': renamed(files.weights, (name) =>
      name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
    ),
    'of Flax': asFlax(parameters),
  };
  test.each(Object.entries(layouts))('has the parameters of a checkpoint %s', async (_, weights) => {
    const encoder = await trainedTextEncoder({ ...files, weights }, 6);
    expect(encoder.maxLength).toBe(6);
    expect(encoder.parameters).toEqual(parameters);
    expect(encoder.tokenizer.encode(['a red circle'], 6)).toEqual(captionBert.tokenizer.encode(['a red circle'], 6));
  });

  const others: Record<string, object> = {
    roberta: { ...files.config, model_type: 'roberta', pad_token_id: 0 },
    distilbert: {
      model_type: 'distilbert',
      vocab_size: 12,
      dim: 8,
      n_layers: 1,
      n_heads: 2,
      hidden_dim: 16,
      max_position_embeddings: 8,
    },
  };
  test.each(Object.entries(others))('may be a %s, of a model with a head', async (family, config) => {
    const read = parseBertConfig(config);
    const values = initializeParameters(parametersOf(Object.values(bertGraph(read, 1, 1).outputs)), 1);
    const weights: Checkpoint = new Map(
      [...values].map(([name, { data, shape }]) => [`${family}.${name}`, fromFloat32(data as Float32Array, shape)]),
    );
    expect((await trainedTextEncoder({ ...files, config, weights }, 6)).parameters).toEqual(values);
  });

  test('is refused with the names of missing weights', async () => {
    const weights: Checkpoint = new Map(files.weights);
    weights.delete('embeddings.LayerNorm.bias');
    await expect(trainedTextEncoder({ ...files, weights }, 6)).rejects.toThrow(
      /embeddings\.LayerNorm\.bias is missing/,
    );
  });

  test('is exported to a checkpoint, without the decoder', () => {
    const trained = new Map<string, TensorData>([
      ['lm_head.weight', { dtype: 'float32', shape: [1], data: Float32Array.of(1) }],
      ...[...parameters].map(([name, value]): [string, TensorData] => [`text_encoder.${name}`, value]),
    ]);
    const weights: HuggingFaceFiles['weights'] = textEncoderWeights(trained);
    expect([...weights.keys()]).toEqual([...parameters.keys()]);
    expect(textEncoderParameters(trained)).toEqual(parameters);
    expect(bertWeights(weights, captionBert.config)).toEqual(bertWeights(files.weights, captionBert.config));
  });
});
