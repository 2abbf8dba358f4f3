/** The graphs of autoregressive decoding: one reads the caption once, the other generates one row of tokens per run. */
import {
  add,
  concat,
  fill,
  type Graph,
  gather,
  greater,
  type InputOptions,
  input,
  loop,
  mul,
  ParameterScope,
  parametersOf,
  range,
  reshape,
  sliceAxis,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { type KeysAndValues, paddingMask, readText, type TextMemory } from '@dalle-mini/transformer';
import type { DecoderConfig } from './config.js';
import { decoder, decoderStack } from './decoder.js';
import { guide, sample } from './sampling.js';

/** The sizes for which the graphs are compiled. */
export interface RowShape {
  /** Number of images that are generated at once. */
  readonly images: number;
  /** Whether each image has a second, unconditional sequence, after all conditional ones. */
  readonly guided: boolean;
  /** Largest number of tokens of a caption, or the exact number with relative positions. */
  readonly textLength: number;
  /** Number of most likely tokens to sample from, at least topK. Default all. */
  readonly candidates?: number | undefined;
}

const sequencesOf = ({ images, guided }: RowShape) => (guided ? 2 * images : images);
const cacheName = (kind: 'keys' | 'values', layer: number) => `cache.${layer}.${kind}`;
const textName = (kind: 'keys' | 'values', layer: number) => `text.${layer}.${kind}`;

/** Makes the caption axis dynamic, unless relative positions fix its length. */
const dynamicText = ({ relativePositions = false }: DecoderConfig, axis: number): InputOptions =>
  relativePositions ? {} : { dynamic: axis };

/**
 * Builds the graph of the caption's keys and values for every layer: from `hiddenStates` `[sequences, length,
 * textWidth]` to `text.<layer>.keys` and `text.<layer>.values`, each `[sequences, heads, length, size]`.
 */
export function textGraph(config: DecoderConfig, shape: RowShape): Graph {
  const size = [sequencesOf(shape), shape.textLength, config.textWidth];
  const hiddenStates = input('hiddenStates', size, 'float32', dynamicText(config, 1));
  const outputs: Record<string, Tensor> = {};
  for (const [layer, { keys, values }] of readText(
    new ParameterScope(),
    decoderStack(config),
    hiddenStates,
  ).entries()) {
    outputs[textName('keys', layer)] = keys;
    outputs[textName('values', layer)] = values;
  }
  return { inputs: { hiddenStates }, outputs };
}

/**
 * Builds the graph that generates one row of tokens. Inputs: the caption's keys and values and `textMask` (int32
 * `[sequences, length]`); the KV caches `cache.<layer>.keys` and `.values`, `[sequences, heads, positions, size]`,
 * which grow by one row of positions per run; `token`, int32 `[images]`, the last token before the row; `row`, int32
 * scalar, the index of the row; `uniforms` `[gridSize, images]`; and the options of sampling as scalars. Outputs:
 * `tokens`, int32 `[images, gridSize]`, `token`, and the new rows of the caches. With relative positions,
 * `cache.positions`, int32 `[positions]`, grows with them.
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
    mask: paddingMask(declare('textMask', [sequences, textLength], 'int32', dynamicText(config, 1))),
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
    const sampled = sample(guidedLogits, options, gather(uniforms, column), candidates);
    return { token: sampled, stacked: [sampled] };
  });

  const outputs: Record<string, Tensor> = { tokens: transpose(written.stacked[0]!, [1, 0]), token: written.token };
  if (positions) outputs['cache.positions'] = add(mul(row, gridSize), range(gridSize));
  for (const [layer, { keys, values }] of written.caches.entries()) {
    outputs[cacheName('keys', layer)] = keys;
    outputs[cacheName('values', layer)] = values;
  }
  return { inputs, outputs };
}

/** The state of decoding before a row. */
export interface DecodingState {
  readonly text: TextMemory;
  /** Keys and values of each layer at all positions before the row, `[sequences, heads, positions, size]`. */
  readonly caches: readonly KeysAndValues[];
  /** These positions, int32 `[positions]`, if the configuration has relative positions. */
  readonly positions?: Tensor | undefined;
  /** The last token before the row, int32 `[images]`. With guidance, both halves of the sequences share it. */
  readonly token: Tensor;
  /** Index of the row, int32 scalar. */
  readonly row: Tensor;
}

/**
 * Generates one row of tokens. At each column, `choose` gets the logits `[sequences, paddedVocabularySize]` and the
 * column (int32 scalar), and returns the tokens, int32 `[images]`, and tensors to stack along the columns. Returns the
 * last token, the keys and values of the row, `[sequences, heads, gridSize, size]`, and the stacked tensors.
 */
export function writeRow(
  scope: ParameterScope,
  config: DecoderConfig,
  { text, caches, positions, token, row }: DecodingState,
  choose: (logits: Tensor, column: Tensor) => { token: Tensor; stacked: Tensor[] },
): { token: Tensor; caches: KeysAndValues[]; stacked: Tensor[] } {
  const { gridSize, heads, layers, width } = config;
  const sequences = caches[0]!.keys.shape[0]!;
  const start = mul(row, gridSize);
  const positionsOf = { row: add(start, range(gridSize)), before: positions };
  const blank = fill([sequences, heads, gridSize, width / heads], 0);

  const initial = [token, ...Array.from({ length: 2 * layers }, () => blank)];
  const { carried, stacked } = loop(gridSize, initial, (column, [previous, ...ofRow]) => {
    const unwritten = greater(range(gridSize), column);
    const rowCaches = pairs(ofRow).map((ofLayer, layer) => ({
      row: ofLayer,
      before: caches[layer]!,
      column,
      unwritten,
      positions: positionsOf,
    }));
    const { shape } = previous!;
    const tokens = reshape(shape[0] === sequences ? previous! : concat([previous!, previous!], 0), [sequences, 1]);
    const position = reshape(add(start, column), [1]);
    const { logits, written } = decoder(scope, config, tokens, position, text, rowCaches);
    const chosen = choose(reshape(logits, [sequences, -1]), column);
    const next = written.flatMap(({ keys, values }) => [keys, values]);
    return { carried: [chosen.token, ...next], stacked: chosen.stacked };
  });

  const [last, ...written] = carried;
  return { token: last!, caches: pairs(written), stacked };
}

/** Groups a list of alternating keys and values by layer. */
function pairs(tensors: readonly Tensor[]): KeysAndValues[] {
  return Array.from({ length: tensors.length / 2 }, (_, layer) => ({
    keys: tensors[2 * layer]!,
    values: tensors[2 * layer + 1]!,
  }));
}

/** Returns the parameters of a decoder by name, which its checkpoint must have. */
export function decoderParameters(config: DecoderConfig): ReadonlyMap<string, Tensor> {
  const shape = { images: 1, guided: false, textLength: config.textLength ?? 1 };
  const graphs = [textGraph(config, shape), rowGraph(config, shape)];
  return parametersOf(graphs.flatMap(({ outputs }) => Object.values(outputs)));
}
