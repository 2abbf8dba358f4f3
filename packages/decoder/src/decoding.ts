/** Autoregressive decoding as graphs: one that reads the caption once, and one that writes a row of tokens a run. */
import {
  add,
  concat,
  type Graph,
  gather,
  greater,
  input,
  logicalNot,
  loop,
  ParameterScope,
  range,
  reshape,
  sliceAxis,
  type Tensor,
  transpose,
  update,
} from '@dalle-mini/graph';
import type { DecoderConfig } from './config.js';
import { beginToken, decoder, type KeysAndValues, readText, type TextMemory, textMask } from './decoder.js';
import { guide, sample } from './sampling.js';

/** What a row of tokens is computed for. */
export interface RowShape {
  /** Images that are written at once. */
  readonly images: number;
  /** Whether each image has a second, unconditional row of hidden states, after all conditional ones. */
  readonly guided: boolean;
  /** Tokens of a caption. */
  readonly textLength: number;
}

const rowsOf = ({ images, guided }: RowShape) => (guided ? 2 * images : images);
const cacheName = (kind: 'keys' | 'values', layer: number) => `cache.${layer}.${kind}`;
const textName = (kind: 'keys' | 'values', layer: number) => `text.${layer}.${kind}`;

/**
 * The caption's keys and values for every layer: `hiddenStates` `[rows, length, textWidth]` to `text.<layer>.keys` and
 * `text.<layer>.values`, each `[rows, heads, length, size]`.
 */
export function textGraph(config: DecoderConfig, shape: RowShape): Graph {
  const rows = rowsOf(shape);
  const hiddenStates = input('hiddenStates', [rows, shape.textLength, config.textWidth]);
  const outputs: Record<string, Tensor> = {};
  for (const [layer, { keys, values }] of readText(new ParameterScope(), config, hiddenStates).entries()) {
    outputs[textName('keys', layer)] = keys;
    outputs[textName('values', layer)] = values;
  }
  return { inputs: { hiddenStates }, outputs };
}

/**
 * Writes one row of tokens. Inputs: the caption's keys and values and `textMask` (int32 `[rows, length]`); the caches
 * `cache.<layer>.keys` and `.values`, `[rows, heads, gridSize², size]`; `token`, int32 `[images]`, the last token before the row;
 * `position`, int32 scalar, where the row starts; `uniforms` `[gridSize, images]`; and the options of sampling as scalars.
 * Outputs: `tokens`, int32 `[images, gridSize]`, `token` and the caches.
 */
export function rowGraph(config: DecoderConfig, shape: RowShape): Graph {
  const { gridSize, heads, layers, width, vocabularySize } = config;
  const { images, guided, textLength } = shape;
  const rows = rowsOf(shape);
  const size = width / heads;
  const length = gridSize ** 2;
  const scope = new ParameterScope();

  const inputs: Record<string, Tensor> = {};
  const declare = (...declaration: Parameters<typeof input>) => {
    const tensor = input(...declaration);
    inputs[declaration[0]] = tensor;
    return tensor;
  };
  const eachLayer = (name: typeof cacheName, axis: number): KeysAndValues[] =>
    Array.from({ length: layers }, (_, layer) => ({
      keys: declare(name('keys', layer), [rows, heads, axis, size]),
      values: declare(name('values', layer), [rows, heads, axis, size]),
    }));
  const text: TextMemory = {
    mask: textMask(declare('textMask', [rows, textLength], 'int32')),
    layers: eachLayer(textName, textLength),
  };
  const caches = eachLayer(cacheName, length);
  const token = declare('token', [images], 'int32');
  const position = declare('position', [], 'int32');
  const uniforms = declare('uniforms', [gridSize, images]);
  const options = {
    temperature: declare('temperature', []),
    topK: declare('topK', [], 'int32'),
    topP: declare('topP', []),
  };
  const guidanceScale = guided ? declare('guidanceScale', []) : undefined;

  const initial = [token, ...caches.flatMap(({ keys, values }) => [keys, values])];
  const { carried, stacked } = loop(gridSize, initial, (iteration, [previous, ...cached]) => {
    const now = add(position, iteration);
    const next = [...cached];
    const remember = (layer: number, added: KeysAndValues): KeysAndValues => {
      next[2 * layer] = update(cached[2 * layer]!, added.keys, now);
      next[2 * layer + 1] = update(cached[2 * layer + 1]!, added.values, now);
      return { keys: next[2 * layer]!, values: next[2 * layer + 1]! };
    };
    const mask = logicalNot(greater(range(length), now));
    const tokens = reshape(guided ? concat([previous!, previous!], 0) : previous!, [rows, 1]);
    const all = decoder(scope, config, tokens, reshape(now, [1]), text, { remember, mask });
    // Without the column of the begin token.
    const logits = sliceAxis(reshape(all, [rows, vocabularySize + 1]), 1, 0, vocabularySize);
    const guidedLogits = guidanceScale
      ? guide(sliceAxis(logits, 0, 0, images), sliceAxis(logits, 0, images, rows), guidanceScale)
      : logits;
    const drawn = sample(guidedLogits, options, gather(uniforms, iteration));
    return { carried: [drawn, ...next], stacked: [drawn] };
  });

  const outputs: Record<string, Tensor> = { tokens: transpose(stacked[0]!, [1, 0]), token: carried[0]! };
  for (let layer = 0; layer < layers; layer++) {
    outputs[cacheName('keys', layer)] = carried[1 + 2 * layer]!;
    outputs[cacheName('values', layer)] = carried[2 + 2 * layer]!;
  }
  return { inputs, outputs };
}

/** The caches before the first token, and the begin token: the inputs that `rowGraph` gives back. */
export function emptyState(config: DecoderConfig, shape: RowShape) {
  const cacheShape = [rowsOf(shape), config.heads, config.gridSize ** 2, config.width / config.heads];
  const zeros = () => ({
    dtype: 'float32' as const,
    shape: cacheShape,
    data: new Float32Array(cacheShape.reduce((a, b) => a * b)),
  });
  const caches = Array.from({ length: config.layers }, (_, layer) => [
    [cacheName('keys', layer), zeros()] as const,
    [cacheName('values', layer), zeros()] as const,
  ]).flat();
  const token = {
    dtype: 'int32' as const,
    shape: [shape.images],
    data: new Int32Array(shape.images).fill(beginToken(config)),
  };
  return { ...Object.fromEntries(caches), token };
}
