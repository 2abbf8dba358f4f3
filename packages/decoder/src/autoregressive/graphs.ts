/** The graphs of autoregressive decoding: one reads the caption once, the other generates one row of tokens per run. */
import {
  add,
  concat,
  fill,
  type Graph,
  gather,
  greater,
  input,
  less,
  loop,
  mul,
  ParameterScope,
  parametersOf,
  range,
  reshape,
  select,
  sliceAxis,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import type { KeysAndValues } from '@dalle-mini/transformer';
import { guide, sample } from '../sampling.js';
import type { AutoregressiveModel, Tensors } from './model.js';

/** The sizes for which the graphs are compiled. */
export interface RowShape {
  /** Number of images that are generated at once. */
  readonly images: number;
  /** Whether each image has a second, unconditional sequence, after all conditional ones. */
  readonly guided: boolean;
  /** Largest number of tokens of a caption, or the exact number for models with captions of fixed length. */
  readonly textLength: number;
  /** Number of most likely tokens to sample from, at least topK. Default all. */
  readonly candidates?: number | undefined;
}

const sequencesOf = ({ images, guided }: RowShape) => (guided ? 2 * images : images);
const cacheName = (kind: 'keys' | 'values', layer: number) => `cache.${layer}.${kind}`;

/** Builds the graph that reads captions once: from the inputs of a model to what it keeps of them. */
export function textGraphOf(model: AutoregressiveModel, shape: RowShape): Graph {
  const { once } = model.textInputs(sequencesOf(shape), shape.textLength);
  return { inputs: once, outputs: model.readText(new ParameterScope(), once) };
}

/**
 * Builds the graph that generates one row of tokens. Inputs: the outputs of the graph of captions, and the inputs of the
 * model for rows; the KV caches `cache.<layer>.keys` and `.values`, `[sequences, heads, positions, size]`, which grow by
 * one row of positions per run; `token`, int32 `[images]`, the last token before the row; `row`, int32 scalar, the index
 * of the row; `uniforms` `[gridSize, images]`; `given`, int32 `[gridSize, images]`, tokens that are not sampled, or −1;
 * and the options of sampling as scalars. Outputs: `tokens`, int32 `[images, gridSize]`, `token`, and the new rows of the caches. If the model needs positions, `cache.positions`, int32
 * `[positions]`, grows with them.
 */
export function rowGraphOf(model: AutoregressiveModel, shape: RowShape): Graph {
  const { gridSize, heads, layers, headWidth, vocabularySize, needsPositions } = model;
  const { images, guided, textLength, candidates } = shape;
  const sequences = sequencesOf(shape);

  const { rows } = model.textInputs(sequences, textLength);
  const inputs: Record<string, Tensor> = { ...rows };
  const declare = (...declaration: Parameters<typeof input>) => {
    const tensor = input(...declaration);
    inputs[declaration[0]] = tensor;
    return tensor;
  };
  const read = Object.entries(textGraphOf(model, shape).outputs).map(([name, { shape, dtype, dynamic }]) => {
    return [name, declare(name, shape, dtype, { dynamic: dynamic?.[0] })] as const;
  });
  const text = { ...rows, ...Object.fromEntries(read) };
  const cached = (kind: 'keys' | 'values', layer: number) =>
    declare(cacheName(kind, layer), [sequences, heads, gridSize ** 2, headWidth], 'float32', { dynamic: 2 });
  const caches = Array.from({ length: layers }, (_, layer) => ({
    keys: cached('keys', layer),
    values: cached('values', layer),
  }));
  const positions = needsPositions ? declare('cache.positions', [gridSize ** 2], 'int32', { dynamic: 0 }) : undefined;
  const token = declare('token', [images], 'int32');
  const row = declare('row', [], 'int32');
  const uniforms = declare('uniforms', [gridSize, images]);
  const given = declare('given', [gridSize, images], 'int32');
  const options = {
    temperature: declare('temperature', []),
    topK: declare('topK', [], 'int32'),
    topP: declare('topP', []),
  };
  const guidanceScale = guided ? declare('guidanceScale', []) : undefined;

  const written = writeRow(new ParameterScope(), model, { text, caches, positions, token, row }, (logits, column) => {
    // Without the columns of other tokens and of padding.
    const ofImageTokens = sliceAxis(logits, 1, 0, vocabularySize);
    const guidedLogits = guidanceScale
      ? guide(sliceAxis(ofImageTokens, 0, 0, images), sliceAxis(ofImageTokens, 0, images, sequences), guidanceScale)
      : ofImageTokens;
    const sampled = sample(guidedLogits, options, gather(uniforms, column), candidates);
    const ofColumn = gather(given, column);
    const chosen = select(less(ofColumn, 0), sampled, ofColumn);
    return { token: chosen, stacked: [chosen] };
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
  /** What the model reads of captions: see `Step`. */
  readonly text: Tensors;
  /** Keys and values of each layer at all positions before the row, `[sequences, heads, positions, size]`. */
  readonly caches: readonly KeysAndValues[];
  /** These positions, int32 `[positions]`, if the model needs them. */
  readonly positions?: Tensor | undefined;
  /** The last token before the row, int32 `[images]`. With guidance, both halves of the sequences share it. */
  readonly token: Tensor;
  /** Index of the row, int32 scalar. */
  readonly row: Tensor;
}

/**
 * Generates one row of tokens. At each column, `choose` gets the logits `[sequences, at least vocabularySize]` and the
 * column (int32 scalar), and returns the tokens, int32 `[images]`, and tensors to stack along the columns. Returns the
 * last token, the keys and values of the row, `[sequences, heads, gridSize, size]`, and the stacked tensors.
 */
export function writeRow(
  scope: ParameterScope,
  model: AutoregressiveModel,
  { text, caches, positions, token, row }: DecodingState,
  choose: (logits: Tensor, column: Tensor) => { token: Tensor; stacked: Tensor[] },
): { token: Tensor; caches: KeysAndValues[]; stacked: Tensor[] } {
  const { gridSize, heads, layers, headWidth } = model;
  const sequences = caches[0]!.keys.shape[0]!;
  const start = mul(row, gridSize);
  const positionsOf = { row: add(start, range(gridSize)), before: positions };
  const blank = fill([sequences, heads, gridSize, headWidth], 0);

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
    const { logits, written } = model.next(scope, { text, tokens, position, caches: rowCaches });
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

/** Returns the parameters of a model by name, which its checkpoint must have. */
export function parametersOfModel(model: AutoregressiveModel): ReadonlyMap<string, Tensor> {
  const shape = { images: 1, guided: true, textLength: model.textLength ?? 1 };
  // Both graphs have the parameters of a layer that reads the caption and the image.
  return new Map([
    ...parametersOf(Object.values(textGraphOf(model, shape).outputs)),
    ...parametersOf(Object.values(rowGraphOf(model, shape).outputs)),
    ...parametersOf(model.trainingOnly?.(new ParameterScope()) ?? []),
  ]);
}
