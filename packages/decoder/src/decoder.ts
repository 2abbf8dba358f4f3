/**
 * DALL·E Mini's decoder: a transformer that reads image tokens and a caption, and returns the logits of the next token.
 */
import { concat, fill, matmul, type ParameterScope, range, sliceAxis, type Tensor } from '@dalle-mini/graph';
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
