/**
 * The decoder of LlamaGen (Sun et al. 2024): Llama's layers (Touvron et al. 2023) with RMS norms, SwiGLU and rotary
 * positions in two dimensions. A class, or the hidden states of a caption, come first in the sequence. It computes what
 * `autoregressive/models/gpt.py` of FoundationVision/LlamaGen does, and its parameters are named as there.
 */
import type { TextEncoding } from '@dalle-mini/core';
import {
  add,
  broadcastTo,
  equal,
  inLayer,
  input,
  mul,
  type ParameterScope,
  reshape,
  select,
  sliceAxis,
  swish,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import { normal, zeros } from '@dalle-mini/graph/initializers';
import { embedding, linear, mergeHeads, rmsNorm, splitHeads } from '@dalle-mini/graph/layers';
import { activations, type KeysAndValues } from '@dalle-mini/transformer';
import { checkHiddenStates, checkTokens, joinTokens } from '../autoregressive/encodings.js';
import type { AutoregressiveModel, Encodings, Tensors, Values } from '../autoregressive/model.js';
import {
  attendToPast,
  hiddenStatesOfSequence,
  imageLogitsOf,
  nextLogits,
  type Past,
  readCaption,
  type SequenceTransformer,
} from '../autoregressive/sequence.js';
import type { LlamaGenConfig } from './config.js';
import { type Rotation, rotate, rotationsAt } from './rotary.js';

/** Elements `[batch, length, width]` to normalized hidden states of the same shape. */
function transformer(scope: ParameterScope, config: LlamaGenConfig, x: Tensor, past: Past) {
  const { gridSize, width, heads, ropeBase: base = 10000 } = config;
  const rotation = rotationsAt(past.places, {
    gridSize,
    captionLength: captionLength(config),
    size: width / heads,
    base,
  });
  const written: KeysAndValues[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const at = scope.in('layers').in(layer);
    const result = inLayer(at.path, () => block(at, config, layer, x, rotation, past));
    x = result.x;
    written.push(result.written);
  }
  return { hiddenStates: norm(scope.in('norm'), config, x), written };
}

function block(
  scope: ParameterScope,
  config: LlamaGenConfig,
  layer: number,
  x: Tensor,
  rotation: Rotation,
  past: Past,
): { readonly x: Tensor; readonly written: KeysAndValues } {
  const normalized = norm(scope.in('attention_norm'), config, x);
  const { h, written } = attention(scope.in('attention'), config, layer, normalized, rotation, past);
  x = add(x, h); //                                                                x + attention(norm(x))
  return { x: add(x, feedForward(scope.in('feed_forward'), config, norm(scope.in('ffn_norm'), config, x))), written };
}

/** Each element attends to itself and to those before it. */
function attention(
  scope: ParameterScope,
  config: LlamaGenConfig,
  layer: number,
  x: Tensor,
  rotation: Rotation,
  past: Past,
) {
  const { width, heads, initStd = 0.02 } = config;
  const options = { bias: false, initializer: normal(initStd) };
  const qkv = linear(scope.in('wqkv'), x, 3 * width, options); //                   [batch, length, 3 · width]
  // Queries and keys are rotated together.
  const qk = rotate(splitHeads(sliceAxis(qkv, 2, 0, 2 * width), 2 * heads), rotation);
  const own = {
    keys: sliceAxis(qk, 1, heads, 2 * heads), //                                    [batch, heads, length, size]
    values: splitHeads(sliceAxis(qkv, 2, 2 * width, 3 * width), heads),
  };
  const { attended, written } = attendToPast(sliceAxis(qk, 1, 0, heads), own, layer, past);
  return { h: linear(scope.in('wo'), mergeHeads(attended), width, options), written };
}

/** SwiGLU (Shazeer 2020): w2(swish(w1 x) · w3 x). */
function feedForward(scope: ParameterScope, config: LlamaGenConfig, x: Tensor): Tensor {
  const { width, feedForwardWidth = usualFeedForwardWidth(width), initStd = 0.02 } = config;
  const options = { bias: false, initializer: normal(initStd) };
  const gate = swish(linear(scope.in('w1'), x, feedForwardWidth, options));
  const value = linear(scope.in('w3'), x, feedForwardWidth, options);
  return linear(scope.in('w2'), mul(gate, value), width, options);
}

/** The published width: 8/3 of the width of the hidden states, rounded up to a multiple of 256. */
const usualFeedForwardWidth = (width: number) => Math.ceil(Math.floor((8 * width) / 3) / 256) * 256;

const norm = (scope: ParameterScope, { normEpsilon = 1e-5 }: LlamaGenConfig, x: Tensor) =>
  rmsNorm(scope, x, { epsilon: normEpsilon });

const captionLength = ({ textLength = 1 }: LlamaGenConfig) => textLength;

/** Embeds a class, or the hidden states of a caption: `[batch, captionLength, width]`. */
function embedCaption(scope: ParameterScope, config: LlamaGenConfig, caption: Tensors): Tensor {
  const { classes, width, initStd = 0.02 } = config;
  const at = scope.in('cls_embedding');
  // The row after the classes is that of no caption.
  if (classes !== undefined)
    return embedding(at.in('embedding_table'), caption.ids!, classes + 1, width, normal(initStd));
  const options = { bias: false, initializer: normal(initStd) };
  const project = at.in('cap_proj');
  const hidden = activations.gelu_new(linear(project.in('fc1'), captionStates(at, config, caption), width, options));
  return linear(project.in('fc2'), hidden, width, options);
}

/** Hidden states `[batch, textLength, textWidth]`, or the embedding of no caption where `dropped`, int32 `[batch]`, is 1. */
function captionStates(scope: ParameterScope, config: LlamaGenConfig, { hiddenStates, dropped }: Tensors): Tensor {
  const [textLength, textWidth] = [config.textLength!, config.textWidth!];
  // As published, it is not trained.
  const none = scope.buffer('uncond_embedding', [textLength, textWidth], normal(1 / Math.sqrt(textWidth)));
  const isDropped = reshape(equal(dropped!, 1), [-1, 1, 1]);
  return select(isDropped, broadcastTo(reshape(none, [1, textLength, textWidth]), hiddenStates!.shape), hiddenStates!);
}

const sequenceOf = (config: LlamaGenConfig): SequenceTransformer => ({
  gridSize: config.gridSize,
  layers: config.layers,
  captionLength: captionLength(config),
  embedCaption: (scope, caption) => embedCaption(scope, config, caption),
  embedTokens(scope, tokens) {
    const { vocabularySize, width, initStd = 0.02 } = config;
    return embedding(scope.in('tok_embeddings'), tokens, vocabularySize, width, normal(initStd));
  },
  run: (scope, x, past) => transformer(scope, config, x, past),
  imageLogits: (scope, hiddenStates) =>
    linear(scope.in('output'), hiddenStates, config.vocabularySize, { bias: false, initializer: zeros }),
});

/** Classes, or encoded captions, as inputs of a training graph. */
export interface LlamaGenInput {
  /** Classes, int32 `[batch, 1]`, of a class-conditional decoder. `classes` is no class. */
  readonly ids?: Tensor | undefined;
  /** `[batch, textLength, textWidth]`, padded at the start, of a text-conditional decoder. */
  readonly hiddenStates?: Tensor | undefined;
  /** int32 `[batch, textLength]`: 1 for a hidden state, 0 for padding. */
  readonly attentionMask?: Tensor | undefined;
  /** int32 `[batch]`: 1 replaces a caption by the embedding of no caption. */
  readonly dropped?: Tensor | undefined;
}

/**
 * Computes the logits of the image tokens, `[batch, gridSize², vocabularySize]`, for given tokens, int32
 * `[batch, gridSize²]`, for training and evaluation.
 */
export function llamaGenLogits(
  scope: ParameterScope,
  config: LlamaGenConfig,
  tokens: Tensor,
  { attentionMask, ...caption }: LlamaGenInput,
): { readonly image: Tensor; readonly hiddenStates: Tensor } {
  const sequence = sequenceOf(config);
  const given = Object.fromEntries(Object.entries(caption).filter(([, tensor]) => tensor)) as Tensors;
  const mask = config.classes === undefined ? attentionMask : undefined;
  const hiddenStates = hiddenStatesOfSequence(scope, sequence, given, tokens, mask);
  return { image: imageLogitsOf(scope, sequence, hiddenStates), hiddenStates };
}

/** LlamaGen's decoder as it generates: it reads the class or the caption once, and keeps its keys and values. */
export function llamaGenModel(config: LlamaGenConfig): AutoregressiveModel {
  const { gridSize, vocabularySize, layers, heads, width, classes, textWidth, textLength } = config;
  const sequence = sequenceOf(config);
  const shared = {
    gridSize,
    vocabularySize,
    layers,
    heads,
    headWidth: width / heads,
    beginToken: 0,
    textLength: captionLength(config),
    needsPositions: false,
    needsUnconditional: false,
    readsTextInSequence: true,
    readText: (scope: ParameterScope, once: Tensors) => readCaption(scope, sequence, once, once.textMask),
    next: (scope: ParameterScope, step: Parameters<AutoregressiveModel['next']>[1]) =>
      nextLogits(scope, sequence, step, step.text.textMask),
  };
  if (classes !== undefined)
    return {
      ...shared,
      textInputs: (sequences) => ({ once: { ids: input('ids', [sequences, 1], 'int32') }, rows: {} }),
      checkEncoding: (name, encoding) =>
        checkTokens(name, encoding, { vocabularySize: classes + 1, length: 1, padded: true }),
      textValues: (encodings) => ({ once: { ids: classesOf(encodings, classes) }, rows: {} }),
    };
  return {
    ...shared,
    textInputs(sequences) {
      const textMask = input('textMask', [sequences, textLength!], 'int32');
      const hiddenStates = input('hiddenStates', [sequences, textLength!, textWidth!]);
      return { once: { hiddenStates, textMask, dropped: input('dropped', [sequences], 'int32') }, rows: { textMask } };
    },
    checkEncoding: (name, encoding) => checkHiddenStates(name, encoding, textWidth!, textLength),
    textValues(encodings) {
      const { textMask, ...states } = captionsOf(encodings, textLength!);
      return { once: { ...states, textMask: textMask! }, rows: { textMask: textMask! } };
    },
  };
}

/** Returns the classes of all sequences, int32 `[sequences, 1]`. */
function classesOf(encodings: Encodings, none: number): TensorData {
  const { ids } = joinTokens(encodings, 1);
  if (!encodings.guided || encodings.unconditional) return ids;
  const data = Int32Array.from([...ids.data, ...Array<number>(ids.data.length).fill(none)]);
  return { dtype: 'int32', shape: [data.length, 1], data };
}

/**
 * Pads encoded captions at the start with zeros, as LlamaGen reads them.
 *
 * @returns `hiddenStates` `[batch, length, width]` and `attentionMask` `[batch, length]`.
 */
export function padAtStart(
  { hiddenStates, attentionMask, batch, length: from, width }: TextEncoding,
  length: number,
): { readonly hiddenStates: Float32Array; readonly attentionMask: Int32Array } {
  const states = new Float32Array(batch * length * width);
  const mask = new Int32Array(batch * length);
  for (let i = 0; i < batch; i++) {
    const count = attentionMask.subarray(i * from, (i + 1) * from).lastIndexOf(1) + 1;
    const end = (i + 1) * length;
    states.set(hiddenStates.subarray(i * from * width, (i * from + count) * width), (end - count) * width);
    mask.fill(1, end - count, end);
  }
  return { hiddenStates: states, attentionMask: mask };
}

/** Arranges captions for the model. Sequences of no caption have the padding of the caption that they are compared with. */
function captionsOf({ text, guided, unconditional }: Encodings, length: number): Values {
  const ofText = padAtStart(text, length);
  const { batch, width } = text;
  const sequences = guided ? 2 * batch : batch;
  const hiddenStates = new Float32Array(sequences * length * width);
  const textMask = new Int32Array(sequences * length);
  const dropped = new Int32Array(sequences);
  hiddenStates.set(ofText.hiddenStates);
  textMask.set(ofText.attentionMask);
  if (guided && !unconditional) {
    dropped.fill(1, batch);
    textMask.set(ofText.attentionMask, batch * length);
  }
  if (guided && unconditional) {
    const ofNegative = padAtStart(unconditional, length);
    for (let sequence = batch; sequence < sequences; sequence++) {
      hiddenStates.set(ofNegative.hiddenStates, sequence * length * width);
      textMask.set(ofNegative.attentionMask, sequence * length);
    }
  }
  return {
    hiddenStates: { dtype: 'float32', shape: [sequences, length, width], data: hiddenStates },
    textMask: { dtype: 'int32', shape: [sequences, length], data: textMask },
    dropped: { dtype: 'int32', shape: [sequences], data: dropped },
  };
}
