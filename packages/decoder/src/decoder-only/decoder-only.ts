/**
 * A decoder-only text-to-image model: text tokens and image tokens are one sequence, as in DALL·E (Ramesh et al. 2021).
 * It computes what `Transformer1d` of kakaobrain/minDALL-E does, a GPT (Radford et al. 2019) with embeddings, positions
 * and a head of their own for each kind of token, and its parameters are named as there.
 */
import {
  add,
  concat,
  fill,
  inLayer,
  input,
  type ParameterScope,
  range,
  sliceAxis,
  type Tensor,
} from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import { embedding, type LinearOptions, layerNorm, linear, mergeHeads, splitHeads } from '@dalle-mini/graph/layers';
import { activations, type KeysAndValues } from '@dalle-mini/transformer';
import { checkTokens, joinTokens } from '../autoregressive/encodings.js';
import type { AutoregressiveModel, Tensors } from '../autoregressive/model.js';
import {
  attendToPast,
  hiddenStatesOfSequence,
  imageLogitsOf,
  nextLogits,
  type Past,
  readCaption,
  type SequenceTransformer,
} from '../autoregressive/sequence.js';
import type { DecoderOnlyConfig } from './config.js';

/** Elements `[batch, length, width]` to normalized hidden states of the same shape. */
function transformer(scope: ParameterScope, config: DecoderOnlyConfig, x: Tensor, past: Past) {
  const written: KeysAndValues[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const at = scope.in('blocks').in(layer);
    const result = inLayer(at.path, () => block(at, config, layer, x, past));
    x = result.x;
    written.push(result.written);
  }
  return { hiddenStates: layerNorm(scope.in('ln_f'), x), written };
}

function block(scope: ParameterScope, config: DecoderOnlyConfig, layer: number, x: Tensor, past: Past) {
  const { h, written } = attention(scope.in('attn'), config, layer, layerNorm(scope.in('ln1'), x), past);
  x = add(x, h); //                                                              x + attention(norm(x))
  return { x: add(x, feedForward(scope.in('mlp'), config, layerNorm(scope.in('ln2'), x))), written };
}

/** Each element attends to itself and to those before it. */
function attention(scope: ParameterScope, config: DecoderOnlyConfig, layer: number, x: Tensor, past: Past) {
  const { width, heads, attentionBias = true } = config;
  const options = linearOptions(config, attentionBias);
  const project = (name: string) => splitHeads(linear(scope.in(name), x, width, options), heads);
  const own = { keys: project('key'), values: project('value') }; //             [batch, heads, length, size]
  const { attended, written } = attendToPast(project('query'), own, layer, past);
  return { h: linear(scope.in('proj'), mergeHeads(attended), width, options), written };
}

function feedForward(scope: ParameterScope, config: DecoderOnlyConfig, x: Tensor): Tensor {
  const { width, feedForwardWidth = 4 * width, feedForwardBias = true, activation = 'gelu' } = config;
  const options = linearOptions(config, feedForwardBias);
  const hidden = activations[activation](linear(scope.in(0), x, feedForwardWidth, options));
  return linear(scope.in(2), hidden, width, options);
}

const initializerOf = ({ initStd = 0.02 }: DecoderOnlyConfig) => normal(initStd);
const linearOptions = (config: DecoderOnlyConfig, bias: boolean): LinearOptions => ({
  bias,
  initializer: initializerOf(config),
});

/** Text tokens, and the separator after them. */
const textRows = ({ text, textVocabularySize }: DecoderOnlyConfig) =>
  text === 'separator' ? textVocabularySize + 1 : textVocabularySize;
const captionLength = ({ text, textLength }: DecoderOnlyConfig) => (text === 'separator' ? textLength + 1 : textLength);

/** Embeds text tokens, int32 `[batch, textLength]`, and the separator: `[batch, captionLength, width]`. */
function embedCaption(scope: ParameterScope, config: DecoderOnlyConfig, ids: Tensor): Tensor {
  const { text, width, textVocabularySize, vocabularySize, sharedEmbeddings } = config;
  const [batch, length] = [ids.shape[0]!, captionLength(config)];
  const initializer = initializerOf(config);
  const all = text === 'separator' ? concat([ids, fill([batch, 1], textVocabularySize, 'int32')], 1) : ids;
  const tokens = sharedEmbeddings
    ? sharedEmbedding(scope, config, add(all, vocabularySize))
    : embedding(scope.in('tok_emb_txt'), all, textRows(config), width, initializer);
  return add(tokens, embedding(scope.in('pos_emb_txt'), range(length), length, width, initializer));
}

/** Embeds image tokens, int32 `[batch, length]`, at positions int32 `[length]`: `[batch, length, width]`. */
function embedTokens(scope: ParameterScope, config: DecoderOnlyConfig, tokens: Tensor, positions: Tensor): Tensor {
  const { width, vocabularySize, gridSize, sharedEmbeddings } = config;
  const initializer = initializerOf(config);
  const embedded = sharedEmbeddings
    ? sharedEmbedding(scope, config, tokens)
    : embedding(scope.in('tok_emb_img'), tokens, vocabularySize, width, initializer);
  return add(embedded, embedding(scope.in('pos_emb_img'), positions, gridSize ** 2, width, initializer));
}

/** The table of both kinds of tokens: first those of images, then those of text. */
function sharedEmbedding(scope: ParameterScope, config: DecoderOnlyConfig, ids: Tensor): Tensor {
  return embedding(scope.in('tok_emb'), ids, sharedRows(config), config.width, initializerOf(config));
}

const sharedRows = (config: DecoderOnlyConfig) => config.vocabularySize + textRows(config);

/** Maps hidden states to logits of a kind of token, or with one head, of all. */
function logits(scope: ParameterScope, config: DecoderOnlyConfig, kind: 'img' | 'txt', hiddenStates: Tensor): Tensor {
  const { sharedEmbeddings, vocabularySize } = config;
  const options = linearOptions(config, false);
  if (sharedEmbeddings) return linear(scope.in('head'), hiddenStates, sharedRows(config), options);
  const columns = kind === 'img' ? vocabularySize : textRows(config);
  return linear(scope.in(`head_${kind}`), hiddenStates, columns, options);
}

const sequenceOf = (config: DecoderOnlyConfig): SequenceTransformer => ({
  gridSize: config.gridSize,
  layers: config.layers,
  captionLength: captionLength(config),
  embedCaption: (scope, { ids }) => embedCaption(scope, config, ids!),
  embedTokens: (scope, tokens, positions) => embedTokens(scope, config, tokens, positions),
  run: (scope, x, past) => transformer(scope, config, x, past),
  imageLogits: (scope, hiddenStates) => logits(scope, config, 'img', hiddenStates),
});

/** Captions as inputs of a training graph. */
export interface TokenInput {
  /** Token ids, int32 `[batch, textLength]`. */
  readonly ids: Tensor;
  /** int32 `[batch, textLength]`: 1 for a token, 0 for padding. Only `text: 'separator'` reads it. */
  readonly attentionMask: Tensor;
}

/** The mask of a whole caption, int32 `[batch, captionLength]`, unless padding is read. */
function captionMask({ text }: DecoderOnlyConfig, attentionMask: Tensor): Tensor | undefined {
  if (text !== 'separator') return undefined;
  return concat([attentionMask, fill([attentionMask.shape[0]!, 1], 1, 'int32')], 1);
}

/**
 * Computes the logits at every position for given tokens, for training and evaluation: those of the image tokens,
 * `[batch, gridSize², columns]`, and those of the text tokens from the second, `[batch, captionLength − 1, columns]`. With
 * shared embeddings, columns are those of image tokens, then those of text tokens.
 *
 * @param tokens Image tokens, int32 `[batch, gridSize²]`.
 */
export function decoderOnlyLogits(
  scope: ParameterScope,
  config: DecoderOnlyConfig,
  tokens: Tensor,
  { ids, attentionMask }: TokenInput,
): { readonly image: Tensor; readonly text: Tensor; readonly hiddenStates: Tensor } {
  const sequence = sequenceOf(config);
  const hiddenStates = hiddenStatesOfSequence(scope, sequence, { ids }, tokens, captionMask(config, attentionMask));
  return {
    image: imageLogitsOf(scope, sequence, hiddenStates),
    text: logits(scope, config, 'txt', sliceAxis(hiddenStates, 1, 0, sequence.captionLength - 1)),
    hiddenStates,
  };
}

/** A decoder-only model as it generates: it reads the caption once, and keeps its keys and values. */
export function decoderOnlyModel(config: DecoderOnlyConfig): AutoregressiveModel {
  const { gridSize, vocabularySize, layers, heads, width, text, textLength, textVocabularySize } = config;
  const sequence = sequenceOf(config);
  const maskOf = ({ textMask }: Tensors) => textMask && captionMask(config, textMask);
  return {
    gridSize,
    vocabularySize,
    layers,
    heads,
    headWidth: width / heads,
    beginToken: 0,
    textLength,
    needsPositions: false,
    needsUnconditional: true,
    readsTextInSequence: true,
    textInputs: (sequences) => {
      const shape = [sequences, textLength];
      const mask: Tensors = text === 'separator' ? { textMask: input('textMask', shape, 'int32') } : {};
      return { once: { ids: input('ids', shape, 'int32'), ...mask }, rows: mask };
    },
    readText: (scope, once) => readCaption(scope, sequence, once, maskOf(once)),
    next: (scope, step) => nextLogits(scope, sequence, step, maskOf(step.text)),
    checkEncoding: (name, encoding) =>
      checkTokens(name, encoding, {
        vocabularySize: textVocabularySize,
        length: textLength,
        padded: text !== 'separator',
      }),
    textValues(encodings) {
      const { ids, attentionMask } = joinTokens(encodings, textLength);
      const mask = text === 'separator' ? { textMask: attentionMask } : {};
      return { once: { ids, ...mask }, rows: mask };
    },
    trainingOnly: (scope) => [logits(scope, config, 'txt', fill([1, width], 0))],
  };
}
