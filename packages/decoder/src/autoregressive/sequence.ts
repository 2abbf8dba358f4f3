/**
 * Models that read a caption and image tokens as one sequence: the caption first, then the image in raster order. Each
 * element attends to itself and to those before it. The logits of the first image token are at the last element of the
 * caption.
 */
import {
  cast,
  concat,
  equal,
  fill,
  logicalAnd,
  maximum,
  type ParameterScope,
  range,
  reshape,
  select,
  sliceAxis,
  sub,
  type Tensor,
} from '@dalle-mini/graph';
import { causalMask, dotProductAttention } from '@dalle-mini/graph/layers';
import { attendToRow, type KeysAndValues, type RowCache, writeColumn } from '@dalle-mini/transformer';
import type { AutoregressiveModel, Step, Tensors } from './model.js';

/** A transformer over such a sequence. */
export interface SequenceTransformer {
  readonly gridSize: number;
  readonly layers: number;
  /** Number of elements of the caption: at least 1. */
  readonly captionLength: number;
  /** Embeds a caption: `[batch, captionLength, width]`. */
  embedCaption(scope: ParameterScope, caption: Tensors): Tensor;
  /** Embeds image tokens, int32 `[batch, length]`, at positions of the image, int32 `[length]`: `[batch, length, width]`. */
  embedTokens(scope: ParameterScope, tokens: Tensor, positions: Tensor): Tensor;
  /** Computes the layers: elements `[batch, length, width]` to hidden states from which the logits follow. */
  run(
    scope: ParameterScope,
    x: Tensor,
    past: Past,
  ): { readonly hiddenStates: Tensor; readonly written: readonly KeysAndValues[] };
  /** Maps hidden states `[batch, length, width]` to logits of image tokens, `[batch, length, at least vocabularySize]`. */
  imageLogits(scope: ParameterScope, hiddenStates: Tensor): Tensor;
}

/** What the elements of a sequence attend to: each other by the mask, or what is in the cache of each layer. */
export interface Past {
  /** Places of the elements in the sequence, int32 `[length]`. */
  readonly places: Tensor;
  /** bool, broadcasts to `[batch, heads, length, length]`. */
  readonly mask?: Tensor | undefined;
  readonly caches?: readonly RowCache[] | undefined;
}

/** Attention in a layer: queries, keys and values `[batch, heads, length, size]` to `[batch, heads, length, size]`. */
export function attendToPast(
  queries: Tensor,
  own: KeysAndValues,
  layer: number,
  { mask, caches }: Past,
): { readonly attended: Tensor; readonly written: KeysAndValues } {
  const cache = caches?.[layer];
  if (!cache) return { attended: dotProductAttention(queries, own.keys, own.values, mask), written: own };
  const written = writeColumn(cache, own);
  return { attended: attendToRow(queries, written, cache, undefined), written };
}

const memoryName = (kind: 'keys' | 'values', layer: number) => `text.${layer}.${kind}`;

/**
 * Reads a caption once. Keeps the keys and values of all its elements but the last, which begins the image: the
 * embedding of that.
 *
 * @param attentionMask int32 `[batch, captionLength]`: 0 at padding. Default: no padding.
 */
export function readCaption(
  scope: ParameterScope,
  model: SequenceTransformer,
  caption: Tensors,
  attentionMask?: Tensor,
): Tensors {
  const x = model.embedCaption(scope, caption);
  const before = model.captionLength - 1;
  const kept: Record<string, Tensor> = { 'text.begin': sliceAxis(x, 1, before, before + 1) };
  if (before === 0) return kept;
  const mask = maskOf(before, attentionMask && sliceAxis(attentionMask, 1, 0, before));
  const { written } = model.run(scope, sliceAxis(x, 1, 0, before), { places: range(before), mask });
  for (const [layer, { keys, values }] of written.entries()) {
    kept[memoryName('keys', layer)] = keys;
    kept[memoryName('values', layer)] = values;
  }
  return kept;
}

/** bool `[length, length]`, or `[batch, 1, length, length]` with padding. */
function maskOf(length: number, attentionMask?: Tensor): Tensor {
  const causal = causalMask(length);
  return attentionMask ? logicalAnd(causal, paddingMask(attentionMask)) : causal;
}

/** bool `[batch, 1, 1, length]` of an attention mask, int32 `[batch, length]`. */
function paddingMask(attentionMask: Tensor): Tensor {
  const [batch, length] = attentionMask.shape as [number, number];
  return reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
}

/**
 * Computes the logits of the next tokens: `AutoregressiveModel.next` of a model that reads captions with
 * {@link readCaption}.
 *
 * @param attentionMask As for {@link readCaption}.
 */
export function nextLogits(
  scope: ParameterScope,
  model: SequenceTransformer,
  { text, tokens, position, caches }: Step,
  attentionMask?: Tensor,
): ReturnType<AutoregressiveModel['next']> {
  const { captionLength, layers } = model;
  const before = captionLength - 1;
  const mask = attentionMask && before > 0 ? paddingMask(sliceAxis(attentionMask, 1, 0, before)) : undefined;
  const prefixes = Array.from({ length: before > 0 ? layers : 0 }, (_, layer) => ({
    keys: text[memoryName('keys', layer)]!,
    values: text[memoryName('values', layer)]!,
    mask,
  }));
  const embedded = model.embedTokens(scope, tokens, maximum(sub(position, 1), 0));
  const x = select(equal(position, 0), text['text.begin']!, embedded); // [sequences, 1, width]
  const { hiddenStates, written } = model.run(scope, x, {
    places: sub(position, -before),
    caches: caches.map((cache, layer) => ({ ...cache, prefix: prefixes[layer] })),
  });
  return { logits: model.imageLogits(scope, hiddenStates), written };
}

/**
 * Computes the hidden states of a whole sequence but its last token, `[batch, captionLength + gridSize² − 1, width]`:
 * those from `captionLength − 1` give the logits of the image tokens.
 *
 * @param tokens Image tokens, int32 `[batch, gridSize²]`.
 * @param attentionMask As for {@link readCaption}.
 */
export function hiddenStatesOfSequence(
  scope: ParameterScope,
  model: SequenceTransformer,
  caption: Tensors,
  tokens: Tensor,
  attentionMask?: Tensor,
): Tensor {
  const { captionLength } = model;
  const [batch, count] = tokens.shape as [number, number];
  const given = sliceAxis(tokens, 1, 0, count - 1);
  const ofCaption = model.embedCaption(scope, caption);
  const x = count === 1 ? ofCaption : concat([ofCaption, model.embedTokens(scope, given, range(count - 1))], 1);
  const length = captionLength + count - 1;
  const ofImage = fill([batch, count - 1], 1, 'int32');
  const mask = maskOf(length, attentionMask && concat([attentionMask, ofImage], 1));
  return model.run(scope, x, { places: range(length), mask }).hiddenStates;
}

/** Computes the logits of all image tokens of {@link hiddenStatesOfSequence}: `[batch, gridSize², …]`. */
export function imageLogitsOf(scope: ParameterScope, model: SequenceTransformer, hiddenStates: Tensor): Tensor {
  const start = model.captionLength - 1;
  return model.imageLogits(scope, sliceAxis(hiddenStates, 1, start, hiddenStates.shape[1]!));
}
