/**
 * DALL·E Mini's decoder: a transformer that reads image tokens and a caption, and returns the logits of the next token.
 */
import { OptionError } from '@dalle-mini/core';
import {
  concat,
  fill,
  type InputOptions,
  input,
  matmul,
  type ParameterScope,
  range,
  sliceAxis,
  type Tensor,
} from '@dalle-mini/graph';
import { linear } from '@dalle-mini/graph/layers';
import {
  createStack,
  type KeysAndValues,
  paddingMask,
  type RowCache,
  readText,
  type Stack,
  type TextMemory,
  decoder as transformerDecoder,
} from '@dalle-mini/transformer';
import { checkHiddenStates, joinHiddenStates } from '../autoregressive/encodings.js';
import type { AutoregressiveModel, Tensors } from '../autoregressive/model.js';
import type { DecoderConfig } from './config.js';

/** Returns the token before the first image token. */
export const beginToken = ({ beginToken, vocabularySize }: DecoderConfig): number => beginToken ?? vocabularySize;

/** Returns the number of columns of the logits: image tokens, the begin token, and padding. */
export const logitsWidth = (config: DecoderConfig): number => config.paddedVocabularySize ?? config.vocabularySize + 1;

export function decoderStack(config: DecoderConfig): Stack {
  return createStack('decoder', config, {
    tokens: logitsWidth(config),
    positions: config.gridSize ** 2,
    textPositions: config.textLength,
    // The initial weights of a decoder do not depend on the depth of the encoder.
    depths: { encoder: 1, decoder: config.layers },
  });
}

/**
 * Computes the logits of the next token after each of the tokens, int32 `[batch, length]`, at the positions, int32
 * `[length]`. The result is `[batch, length, vocabularySize + 1]` or `[batch, length, paddedVocabularySize]`. Its last
 * columns are the begin token and padding, which must never be sampled.
 */
export function decoder(
  scope: ParameterScope,
  config: DecoderConfig,
  tokens: Tensor,
  positions: Tensor,
  text: TextMemory,
  caches?: readonly RowCache[],
): { readonly logits: Tensor; readonly written: readonly KeysAndValues[] } {
  const stack = decoderStack(config);
  const { hiddenStates, written } = transformerDecoder(scope, stack, tokens, positions, text, caches);
  return { logits: head(scope, stack, hiddenStates, config), written };
}

/** Maps hidden states `[batch, length, width]` to logits `[batch, length, logitsWidth]`. */
function head(scope: ParameterScope, stack: Stack, x: Tensor, { tieEmbeddings = false }: DecoderConfig): Tensor {
  const { initializer, tokens, width } = stack;
  if (!tieEmbeddings) return linear(scope.in('lm_head'), x, tokens, { bias: false, initializer });
  const embeddings = scope.in('embed_tokens').parameter('weight', [tokens, width], initializer);
  return matmul(x, embeddings, { transposeB: true });
}

/** Encoded captions as inputs of a training graph. */
export interface TextInput {
  /** `[batch, length, textWidth]`. */
  readonly hiddenStates: Tensor;
  /** int32 `[batch, length]`: 1 for a token, 0 for padding. */
  readonly attentionMask: Tensor;
}

/** Computes the logits at every position for given tokens, int32 `[batch, gridSize²]`, for training and evaluation. */
export function teacherForced(
  scope: ParameterScope,
  config: DecoderConfig,
  tokens: Tensor,
  { hiddenStates, attentionMask }: TextInput,
): Tensor {
  const text = { layers: readText(scope, decoderStack(config), hiddenStates), mask: paddingMask(attentionMask) };
  const [batch, length] = tokens.shape as [number, number];
  const before = concat([fill([batch, 1], beginToken(config), 'int32'), sliceAxis(tokens, 1, 0, length - 1)], 1);
  return decoder(scope, config, before, range(length), text).logits;
}

const memoryName = (kind: 'keys' | 'values', layer: number) => `text.${layer}.${kind}`;

/** DALL·E Mini's decoder as it generates: the keys and values of a caption are computed once, for every layer. */
export function dalleMiniModel(config: DecoderConfig): AutoregressiveModel {
  const { gridSize, vocabularySize, layers, heads, width, textWidth, relativePositions = false, textLength } = config;
  // Relative positions fix the length of captions.
  const dynamicText = (axis: number): InputOptions => (relativePositions ? {} : { dynamic: axis });
  return {
    gridSize,
    vocabularySize,
    layers,
    heads,
    headWidth: width / heads,
    beginToken: beginToken(config),
    textLength: relativePositions ? textLength : undefined,
    needsPositions: relativePositions,
    needsUnconditional: true,
    readsTextInSequence: false,
    textInputs: (sequences, length) => ({
      once: { hiddenStates: input('hiddenStates', [sequences, length, textWidth], 'float32', dynamicText(1)) },
      rows: { textMask: input('textMask', [sequences, length], 'int32', dynamicText(1)) },
    }),
    readText: (scope, { hiddenStates }) =>
      Object.fromEntries(
        readText(scope, decoderStack(config), hiddenStates!).flatMap(({ keys, values }, layer) => [
          [memoryName('keys', layer), keys],
          [memoryName('values', layer), values],
        ]),
      ),
    next: (scope, { text, tokens, position, caches }) =>
      decoder(scope, config, tokens, position, memoryOf(text, layers), caches),
    checkEncoding(name, encoding) {
      checkHiddenStates(name, encoding, textWidth);
      if (relativePositions && encoding.length > textLength!)
        throw new OptionError(
          `${name}.length`,
          `at most ${textLength}, because positions are relative`,
          encoding.length,
        );
    },
    textValues(encodings, length) {
      const { hiddenStates, attentionMask } = joinHiddenStates(encodings, length);
      return { once: { hiddenStates }, rows: { textMask: attentionMask } };
    },
  };
}

function memoryOf(text: Tensors, layers: number): TextMemory {
  return {
    mask: paddingMask(text.textMask!),
    layers: Array.from({ length: layers }, (_, layer) => ({
      keys: text[memoryName('keys', layer)]!,
      values: text[memoryName('values', layer)]!,
    })),
  };
}
