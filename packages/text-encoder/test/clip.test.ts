import { readFileSync } from 'node:fs';
import { ConfigError, object, readConfig } from '@dalle-mini/core';
import { GraphError, input, ParameterScope, parametersOf } from '@dalle-mini/graph';
import {
  clipConfigPart,
  clipTextFields,
  clipTextGraph,
  clipTextTokenizer,
  clipTextWeights,
  clipTransformer,
  clipTransformerField,
  importClipTransformer,
  parseClipTextConfig,
  publishedClipText,
  publishedClipTransformer,
} from '@dalle-mini/text-encoder/clip';
import { CheckpointError, readCheckpoint } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

/** A CLIP as transformers saves it, with its image encoder: see scripts/reference/text_encoders.py. */
const read = (name: string) => readFileSync(new URL(`fixtures/text-encoders/clip/${name}`, import.meta.url));
const readJson = (name: string) => JSON.parse(read(name).toString());
const config = parseClipTextConfig(readJson('config.json'));
const { width } = config.text;

describe("the graph of CLIP's text encoder", () => {
  test('has a state of each token and an embedding of each caption', () => {
    const { hiddenStates, pooled } = clipTextGraph(config, 'last', 2, 5).outputs;
    expect(hiddenStates!.shape).toEqual([2, 5, width]);
    expect(pooled!.shape).toEqual([2, config.projectionSize]);
    expect(() => clipTextGraph(config, 'last', 2, config.maxLength + 1)).toThrow(GraphError);
  });

  test('computes the states before the last layer without it', () => {
    const namesOf = (layer: 'last' | 'penultimate') => [
      ...parametersOf([clipTextGraph(config, layer, 2, 5).outputs.hiddenStates!]).keys(),
    ];
    const last = namesOf('last');
    const ofLastLayer = (name: string) => /layers\.2\.|final_layer_norm/.test(name);
    expect(last.filter(ofLastLayer).length).toBeGreaterThan(2);
    expect(namesOf('penultimate').sort()).toEqual(last.filter((name) => !ofLastLayer(name)).sort());
  });

  test('has a transformer with the states before its first layer and after each', () => {
    const [scope, x] = [new ParameterScope(), input('x', [2, 5, width])];
    const states = clipTransformer(scope, config.text, x);
    expect(states[0]).toBe(x);
    expect(states.map(({ shape }) => shape)).toEqual(Array(config.text.layers + 1).fill([2, 5, width]));
    expect(scope.parameters.get('layers.2.mlp.fc1.weight')!.shape).toEqual([config.text.feedForwardWidth, width]);
  });
});

test("weights of CLIP's text encoder are taken out of a file with both encoders, and named if they are missing", () => {
  const weights = new Map(readCheckpoint(read('model.safetensors')).tensors);
  const declared = parametersOf(Object.values(clipTextGraph(config, 'last', 1, 2).outputs));
  expect(weights.size).toBeGreaterThan(declared.size);
  expect([...clipTextWeights(weights, config).keys()].sort()).toEqual([...declared.keys()].sort());
  weights.delete('text_projection.weight');
  expect(() => clipTextWeights(weights, config)).toThrow(CheckpointError);
  expect(() => clipTextWeights(weights, config)).toThrow('text_projection.weight');
});

test("CLIP's tokenizer of vocab.json and merges.txt has the ids of its tokenizer.json", async () => {
  const file = readJson('tokenizer.json');
  const { vocab, merges } = file.model as { vocab: Record<string, number>; merges: [string, string][] };
  const files = { vocab, merges: ['#version: 0.2', ...merges.map((pair) => pair.join(' '))].join('\n') };
  const captions = ['A red  cat', 'two dogs, 3 houses!', ''];
  const tokenizer = await clipTextTokenizer(files);
  const { ids } = tokenizer.encode(captions, 16);
  const fromFile = await clipTextTokenizer(file, readJson('tokenizer_config.json'));
  expect(ids).toEqual(fromFile.encode(captions, 16).ids);
  const [start, end] = [vocab['<|startoftext|>'], vocab['<|endoftext|>']];
  // Padded with the end token.
  expect([...ids.subarray(32, 36)]).toEqual([start, end, end, end]);
});

describe('the configuration that both encoders of CLIP share', () => {
  const standard = { ...config.text, width: 8, heads: 2 };

  test('is read with the standard sizes for those that a file leaves out', () => {
    const fields = object(publishedClipTransformer(standard));
    const sizes = readConfig(fields, { hidden_size: 16, hidden_act: 'gelu' }, 'config.json');
    expect(importClipTransformer(sizes)).toEqual({ ...standard, width: 16, activation: 'gelu' });
    expect(() => readConfig(fields, { hidden_act: 'relu' }, 'config.json')).toThrow('hidden_act');
  });

  test('has the sizes of ViT-B/32 for a text encoder without its own', () => {
    const text = readConfig(publishedClipText, { num_hidden_layers: 3, unknown: 1 }, 'config.json');
    expect(text).toMatchObject({ num_hidden_layers: 3, hidden_size: 512, vocab_size: 49408 });
    expect(text.max_position_embeddings).toBe(77);
  });

  test('takes the older name of a part before the newer', () => {
    const json = { text_config: { hidden_size: 8, vocab_size: 9 }, text_config_dict: { hidden_size: 4 } };
    expect(clipConfigPart(json, 'text_config')).toEqual({ hidden_size: 4, vocab_size: 9 });
    expect(clipConfigPart(json, 'vision_config')).toEqual({});
  });

  test('is refused with a width that the heads do not share, or without room for the special tokens', () => {
    const transformer = object({ text: clipTransformerField() });
    expect(readConfig(transformer, { text: standard }, 'clip')).toEqual({ text: standard });
    const uneven = () => readConfig(transformer, { text: { ...standard, heads: 3 } }, 'clip');
    expect(uneven).toThrow('text.width must be a multiple of the 3 heads, not 8');
    const read = (change: object) => readConfig(object(clipTextFields), { ...config, ...change }, 'clip');
    expect(read({})).toEqual(config);
    expect(() => read({ maxLength: 1 })).toThrow(ConfigError);
  });
});
