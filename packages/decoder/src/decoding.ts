/** Autoregressive decoding as graphs: one that reads the caption once, and one that writes a row of tokens a run. */
import {
  add,
  cast,
  concat,
  fill,
  type Graph,
  gather,
  greater,
  type InputOptions,
  input,
  loop,
  matmul,
  mul,
  ParameterScope,
  range,
  reshape,
  scaleQueries,
  sliceAxis,
  softmax,
  type Tensor,
  transpose,
  update,
} from '@dalle-mini/graph';
import type { DecoderConfig } from './config.js';
import { decoder, type KeysAndValues, readText, type SelfAttention, type TextMemory, textMask } from './decoder.js';
import { guide, sample } from './sampling.js';

/** What a row of tokens is computed for. */
export interface RowShape {
  /** Images that are written at once. */
  readonly images: number;
  /** Whether each image has a second, unconditional sequence, after all conditional ones. */
  readonly guided: boolean;
  /** Tokens of a caption: at most, unless the configuration has relative positions. */
  readonly textLength: number;
  /** The likeliest tokens, among which one is drawn: no fewer than topK. Default all. */
  readonly candidates?: number;
}

const sequencesOf = ({ images, guided }: RowShape) => (guided ? 2 * images : images);
const cacheName = (kind: 'keys' | 'values', layer: number) => `cache.${layer}.${kind}`;
const textName = (kind: 'keys' | 'values', layer: number) => `text.${layer}.${kind}`;

/** Captions of any length, along this axis. A bias for each pair of positions is as long as the longest. */
const dynamicText = ({ relativePositions = false }: DecoderConfig, axis: number): InputOptions =>
  relativePositions ? {} : { dynamic: axis };

/**
 * The caption's keys and values for every layer: `hiddenStates` `[sequences, length, textWidth]` to `text.<layer>.keys` and
 * `text.<layer>.values`, each `[sequences, heads, length, size]`.
 */
export function textGraph(config: DecoderConfig, shape: RowShape): Graph {
  const size = [sequencesOf(shape), shape.textLength, config.textWidth];
  const hiddenStates = input('hiddenStates', size, 'float32', dynamicText(config, 1));
  const outputs: Record<string, Tensor> = {};
  for (const [layer, { keys, values }] of readText(new ParameterScope(), config, hiddenStates).entries()) {
    outputs[textName('keys', layer)] = keys;
    outputs[textName('values', layer)] = values;
  }
  return { inputs: { hiddenStates }, outputs };
}

/**
 * Writes one row of tokens. Inputs: the caption's keys and values and `textMask` (int32 `[sequences, length]`); the caches
 * `cache.<layer>.keys` and `.values`, `[sequences, heads, positions, size]`, which grow by a row of positions at each run; `token`,
 * int32 `[images]`, the last token before the row; `row`, int32 scalar, which one it is; `uniforms` `[gridSize, images]`; and the
 * options of sampling as scalars. Outputs: `tokens`, int32 `[images, gridSize]`, `token`, and what the caches grow by.
 * With relative positions, `cache.positions`, int32 `[positions]`, grows with them.
 */
export function rowGraph(config: DecoderConfig, shape: RowShape): Graph {
  const { gridSize, heads, layers, width, vocabularySize, relativePositions = false } = config;
  const { images, guided, textLength, candidates } = shape;
  const sequences = sequencesOf(shape);
  const size = width / heads;

  const inputs: Record<string, Tensor> = {};
  const declare = (...declaration: Parameters<typeof input>) => {
    const tensor = input(...declaration);
    inputs[declaration[0]] = tensor;
    return tensor;
  };
  const eachLayer = (name: typeof cacheName, shape: readonly number[], options?: InputOptions): KeysAndValues[] =>
    Array.from({ length: layers }, (_, layer) => ({
      keys: declare(name('keys', layer), shape, 'float32', options),
      values: declare(name('values', layer), shape, 'float32', options),
    }));
  const text: TextMemory = {
    mask: textMask(declare('textMask', [sequences, textLength], 'int32', dynamicText(config, 1))),
    layers: eachLayer(textName, [sequences, heads, textLength, size], dynamicText(config, 2)),
  };
  const caches = eachLayer(cacheName, [sequences, heads, gridSize ** 2, size], { dynamic: 2 });
  const positions = relativePositions
    ? declare('cache.positions', [gridSize ** 2], 'int32', { dynamic: 0 })
    : undefined;
  const token = declare('token', [images], 'int32');
  const row = declare('row', [], 'int32');
  const uniforms = declare('uniforms', [gridSize, images]);
  const options = {
    temperature: declare('temperature', []),
    topK: declare('topK', [], 'int32'),
    topP: declare('topP', []),
  };
  const guidanceScale = guided ? declare('guidanceScale', []) : undefined;

  const written = writeRow(new ParameterScope(), config, { text, caches, positions, token, row }, (logits, column) => {
    // Without the columns of the begin token and of padding.
    const ofImageTokens = sliceAxis(logits, 1, 0, vocabularySize);
    const guidedLogits = guidanceScale
      ? guide(sliceAxis(ofImageTokens, 0, 0, images), sliceAxis(ofImageTokens, 0, images, sequences), guidanceScale)
      : ofImageTokens;
    const drawn = sample(guidedLogits, options, gather(uniforms, column), candidates);
    return { token: drawn, stacked: [drawn] };
  });

  const outputs: Record<string, Tensor> = { tokens: transpose(written.stacked[0]!, [1, 0]), token: written.token };
  if (positions) outputs['cache.positions'] = add(mul(row, gridSize), range(gridSize));
  for (const [layer, { keys, values }] of written.caches.entries()) {
    outputs[cacheName('keys', layer)] = keys;
    outputs[cacheName('values', layer)] = values;
  }
  return { inputs, outputs };
}

/** What has been written so far, and for which captions. */
export interface DecodingState {
  readonly text: TextMemory;
  /** Each layer's keys and values of all positions before the row, `[sequences, heads, positions, size]`. */
  readonly caches: readonly KeysAndValues[];
  /** int32 `[positions]`, these positions: where the configuration has relative positions. */
  readonly positions?: Tensor;
  /** int32 `[images]`: the last token before the row. With guidance, the second half of the sequences follows it too. */
  readonly token: Tensor;
  /** int32 scalar: which row of the grid is to be written. */
  readonly row: Tensor;
}

/**
 * Writes one row of tokens: at each column, `choose` gets the logits `[sequences, paddedVocabularySize]` and the column
 * (int32 scalar), and returns the tokens, int32 `[images]`, and what is to be stacked along the columns. The row's own keys and
 * values are returned, `[sequences, heads, gridSize, size]`.
 *
 * They stand apart from the caches until the row is finished. To write each token's into the caches would copy the caches at
 * every token, which took longer than the rest of the model when nine images were written at once.
 */
export function writeRow(
  scope: ParameterScope,
  config: DecoderConfig,
  { text, caches, positions, token, row }: DecodingState,
  choose: (logits: Tensor, column: Tensor) => { token: Tensor; stacked: Tensor[] },
): { token: Tensor; caches: KeysAndValues[]; stacked: Tensor[] } {
  const { gridSize, heads, layers, width } = config;
  const size = width / heads;
  const sequences = caches[0]!.keys.shape[0]!;
  const start = mul(row, gridSize);
  const positionsOfRow = add(start, range(gridSize));
  // Of biases for all positions, [1, heads, 1, gridSize²], those of some: [heads, 1, n].
  const biasesAt = (bias: Tensor, some: Tensor) =>
    transpose(gather(transpose(reshape(bias, [heads, 1, gridSize ** 2]), [2, 0, 1]), some), [1, 2, 0]);
  const blank = fill([sequences, heads, gridSize, size], 0);

  const initial = [token, ...Array.from({ length: 2 * layers }, () => blank)];
  const { carried, stacked } = loop(gridSize, initial, (column, [previous, ...ofRow]) => {
    const next = [...ofRow];
    const unwritten = greater(range(gridSize), column);
    const attention: SelfAttention = (layer, queries, given, bias) => {
      const keys = update(ofRow[2 * layer]!, given.keys, column);
      const values = update(ofRow[2 * layer + 1]!, given.values, column);
      next[2 * layer] = keys;
      next[2 * layer + 1] = values;
      return attendToBoth(
        queries,
        { keys, values, unwritten, bias: bias && biasesAt(bias, positionsOfRow) },
        { ...caches[layer]!, bias: bias && biasesAt(bias, positions!) },
      );
    };
    const { shape } = previous!;
    const tokens = reshape(shape[0] === sequences ? previous! : concat([previous!, previous!], 0), [sequences, 1]);
    const position = reshape(add(start, column), [1]);
    const logits = decoder(scope, config, tokens, position, text, attention);
    const chosen = choose(reshape(logits, [sequences, -1]), column);
    return { carried: [chosen.token, ...next], stacked: chosen.stacked };
  });

  const [last, ...written] = carried;
  return {
    token: last!,
    caches: caches.map((_, layer) => ({ keys: written[2 * layer]!, values: written[2 * layer + 1]! })),
    stacked,
  };
}

/** `bartAttend` over a row that is being written and the positions before it, without joining their keys and values. */
function attendToBoth(
  queries: Tensor,
  row: KeysAndValues & { readonly unwritten: Tensor; readonly bias?: Tensor },
  before: KeysAndValues & { readonly bias?: Tensor },
): Tensor {
  const scaled = scaleQueries(queries);
  const scoresOf = ({ keys, bias }: KeysAndValues & { readonly bias?: Tensor }) => {
    const products = matmul(scaled, keys, { transposeB: true });
    return bias ? add(products, bias) : products;
  };
  const ofRow = add(scoresOf(row), mul(cast(row.unwritten, 'float32'), -1e9));
  // Those before last: only a slice that reaches to the end needs not know how many they are.
  const weights = softmax(concat([ofRow, scoresOf(before)], 3));
  const length = ofRow.shape[3]!;
  return add(
    matmul(sliceAxis(weights, 3, 0, length), row.values),
    matmul(sliceAxis(weights, 3, length, weights.shape[3]!), before.values),
  );
}
