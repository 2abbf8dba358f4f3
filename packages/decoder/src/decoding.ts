/** Autoregressive decoding as graphs: one that reads the caption once, and one that writes a row of tokens a run. */
import {
  add,
  cast,
  concat,
  fill,
  type Graph,
  gather,
  greater,
  input,
  less,
  logicalNot,
  loop,
  matmul,
  mul,
  ParameterScope,
  range,
  reshape,
  sliceAxis,
  softmax,
  type Tensor,
  type TensorData,
  transpose,
  update,
} from '@dalle-mini/graph';
import type { DecoderConfig } from './config.js';
import {
  beginToken,
  decoder,
  type KeysAndValues,
  readText,
  type SelfAttention,
  type TextMemory,
  textMask,
} from './decoder.js';
import { guide, sample } from './sampling.js';

/** What a row of tokens is computed for. */
export interface RowShape {
  /** Images that are written at once. */
  readonly images: number;
  /** Whether each image has a second, unconditional sequence, after all conditional ones. */
  readonly guided: boolean;
  /** Tokens of a caption. */
  readonly textLength: number;
}

const sequencesOf = ({ images, guided }: RowShape) => (guided ? 2 * images : images);
const cacheName = (kind: 'keys' | 'values', layer: number) => `cache.${layer}.${kind}`;
const textName = (kind: 'keys' | 'values', layer: number) => `text.${layer}.${kind}`;

/**
 * The caption's keys and values for every layer: `hiddenStates` `[sequences, length, textWidth]` to `text.<layer>.keys` and
 * `text.<layer>.values`, each `[sequences, heads, length, size]`.
 */
export function textGraph(config: DecoderConfig, shape: RowShape): Graph {
  const hiddenStates = input('hiddenStates', [sequencesOf(shape), shape.textLength, config.textWidth]);
  const outputs: Record<string, Tensor> = {};
  for (const [layer, { keys, values }] of readText(new ParameterScope(), config, hiddenStates).entries()) {
    outputs[textName('keys', layer)] = keys;
    outputs[textName('values', layer)] = values;
  }
  return { inputs: { hiddenStates }, outputs };
}

/**
 * Writes one row of tokens. Inputs: the caption's keys and values and `textMask` (int32 `[sequences, length]`); the caches
 * `cache.<layer>.keys` and `.values`, `[sequences, heads, gridSize, gridSize · size]`, of the rows before; `token`, int32
 * `[images]`, the last token before the row; `row`, int32 scalar, which one it is; `uniforms` `[gridSize, images]`; and the
 * options of sampling as scalars. Outputs: `tokens`, int32 `[images, gridSize]`, `token` and the caches.
 */
export function rowGraph(config: DecoderConfig, shape: RowShape): Graph {
  const { gridSize, heads, layers, width, vocabularySize } = config;
  const { images, guided, textLength } = shape;
  const sequences = sequencesOf(shape);
  const size = width / heads;

  const inputs: Record<string, Tensor> = {};
  const declare = (...declaration: Parameters<typeof input>) => {
    const tensor = input(...declaration);
    inputs[declaration[0]] = tensor;
    return tensor;
  };
  const eachLayer = (name: typeof cacheName, shape: readonly number[]): KeysAndValues[] =>
    Array.from({ length: layers }, (_, layer) => ({
      keys: declare(name('keys', layer), shape),
      values: declare(name('values', layer), shape),
    }));
  const text: TextMemory = {
    mask: textMask(declare('textMask', [sequences, textLength], 'int32')),
    layers: eachLayer(textName, [sequences, heads, textLength, size]),
  };
  const caches = eachLayer(cacheName, [sequences, heads, gridSize, gridSize * size]);
  const token = declare('token', [images], 'int32');
  const row = declare('row', [], 'int32');
  const uniforms = declare('uniforms', [gridSize, images]);
  const options = {
    temperature: declare('temperature', []),
    topK: declare('topK', [], 'int32'),
    topP: declare('topP', []),
  };
  const guidanceScale = guided ? declare('guidanceScale', []) : undefined;

  const written = writeRow(new ParameterScope(), config, { text, caches, token, row }, (logits, column) => {
    // Without the columns of the begin token and of padding.
    const ofImageTokens = sliceAxis(logits, 1, 0, vocabularySize);
    const guidedLogits = guidanceScale
      ? guide(sliceAxis(ofImageTokens, 0, 0, images), sliceAxis(ofImageTokens, 0, images, sequences), guidanceScale)
      : ofImageTokens;
    const drawn = sample(guidedLogits, options, gather(uniforms, column));
    return { token: drawn, stacked: [drawn] };
  });

  const outputs: Record<string, Tensor> = { tokens: transpose(written.stacked[0]!, [1, 0]), token: written.token };
  for (const [layer, { keys, values }] of written.caches.entries()) {
    outputs[cacheName('keys', layer)] = keys;
    outputs[cacheName('values', layer)] = values;
  }
  return { inputs, outputs };
}

/** What has been written so far, and for which captions. */
export interface DecodingState {
  readonly text: TextMemory;
  /** Each layer's keys and values of the rows before, `[sequences, heads, gridSize, gridSize · size]`: one row of the grid after the other. */
  readonly caches: readonly KeysAndValues[];
  /** int32 `[images]`: the last token before the row. With guidance, the second half of the sequences follows it too. */
  readonly token: Tensor;
  /** int32 scalar: which row of the grid is to be written. */
  readonly row: Tensor;
}

/**
 * Writes one row of tokens: at each column, `choose` gets the logits `[sequences, paddedVocabularySize]` and the column
 * (int32 scalar), and returns the tokens, int32 `[images]`, and what is to be stacked along the columns.
 *
 * The keys and values of the row stand apart until it is finished. To write each token's into the caches would copy the
 * caches at every token, which took longer than the rest of the model when nine images were written at once.
 */
export function writeRow(
  scope: ParameterScope,
  config: DecoderConfig,
  { text, caches, token, row }: DecodingState,
  choose: (logits: Tensor, column: Tensor) => { token: Tensor; stacked: Tensor[] },
): { token: Tensor; caches: KeysAndValues[]; stacked: Tensor[] } {
  const { gridSize, heads, layers, width } = config;
  const size = width / heads;
  const cacheShape = caches[0]!.keys.shape;
  const sequences = cacheShape[0]!;
  const asPositions = (cache: Tensor) => reshape(cache, [sequences, heads, gridSize ** 2, size]);
  const start = mul(row, gridSize);
  // Of biases for all positions, [1, heads, 1, gridSize²], those of the row.
  const biasOfRow = (bias: Tensor) => {
    const byRow = transpose(reshape(bias, [heads, gridSize, gridSize]), [1, 0, 2]);
    return reshape(gather(byRow, row), [1, heads, 1, gridSize]);
  };
  const isBeforeRow = less(range(gridSize ** 2), start);
  const blank = fill([sequences, heads, gridSize, size], 0);

  const initial = [token, ...Array.from({ length: 2 * layers }, () => blank)];
  const { carried, stacked } = loop(gridSize, initial, (column, [previous, ...ofRow]) => {
    const next = [...ofRow];
    const attention: SelfAttention = (layer, queries, given, bias) => {
      const keys = update(ofRow[2 * layer]!, given.keys, column);
      const values = update(ofRow[2 * layer + 1]!, given.values, column);
      next[2 * layer] = keys;
      next[2 * layer + 1] = values;
      const before = { keys: asPositions(caches[layer]!.keys), values: asPositions(caches[layer]!.values) };
      return attendToBoth(queries, [
        { ...before, mask: isBeforeRow, bias },
        { keys, values, mask: logicalNot(greater(range(gridSize), column)), bias: bias && biasOfRow(bias) },
      ]);
    };
    const { shape } = previous!;
    const tokens = reshape(shape[0] === sequences ? previous! : concat([previous!, previous!], 0), [sequences, 1]);
    const position = reshape(add(start, column), [1]);
    const logits = decoder(scope, config, tokens, position, text, attention);
    const chosen = choose(reshape(logits, [sequences, -1]), column);
    return { carried: [chosen.token, ...next], stacked: chosen.stacked };
  });

  const [last, ...ofRow] = carried;
  const write = (cache: Tensor, keysOrValues: Tensor) =>
    update(cache, reshape(keysOrValues, [sequences, heads, 1, gridSize * size]), row);
  return {
    token: last!,
    caches: caches.map(({ keys, values }, layer) => ({
      keys: write(keys, ofRow[2 * layer]!),
      values: write(values, ofRow[2 * layer + 1]!),
    })),
    stacked,
  };
}

/** `bartAttend` over two lists of positions, without joining their keys and values. */
function attendToBoth(
  queries: Tensor,
  parts: readonly (KeysAndValues & { readonly mask: Tensor; readonly bias?: Tensor })[],
): Tensor {
  const scaled = mul(queries, queries.shape.at(-1)! ** -0.5);
  const scores = parts.map(({ keys, mask, bias }) => {
    const products = matmul(scaled, keys, { transposeB: true });
    return add(bias ? add(products, bias) : products, mul(cast(logicalNot(mask), 'float32'), -1e9));
  });
  const weights = softmax(concat(scores, 3));
  let start = 0;
  const attended = parts.map(({ values }) => {
    const end = start + values.shape[2]!;
    const part = matmul(sliceAxis(weights, 3, start, end), values);
    start = end;
    return part;
  });
  return attended.reduce(add);
}

/** The caches before the first token, and the begin token: the inputs that {@link rowGraph} gives back. */
export function emptyState(config: DecoderConfig, shape: RowShape): Record<string, TensorData> {
  const { gridSize, heads, layers, width } = config;
  const cacheShape = [sequencesOf(shape), heads, gridSize, (gridSize * width) / heads];
  const zeros = () => ({
    dtype: 'float32' as const,
    shape: cacheShape,
    data: new Float32Array(cacheShape.reduce((a, b) => a * b)),
  });
  const caches = Array.from({ length: layers }, (_, layer) => [
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
