/** DALL·E Mini's decoder, a transformer that writes image tokens and attends to a caption, with the logits of the next token. */
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

/** The token before the first image token. */
export const beginToken = (config: DecoderConfig): number => config.vocabularySize;

/** Columns of the logits: image tokens, the begin token, and padding. */
export const logitsWidth = (config: DecoderConfig): number => config.paddedVocabularySize ?? config.vocabularySize + 1;

export function decoderStack(config: DecoderConfig): Stack {
  return createStack('decoder', config, {
    tokens: logitsWidth(config),
    positions: config.gridSize ** 2,
    textPositions: config.textLength,
    // What follows from them for a decoder does not depend on the depth of the encoder.
    depths: { encoder: 1, decoder: config.layers },
  });
}

/**
 * Logits of what follows each of some tokens, int32 `[batch, length]`, at their positions, int32 `[length]`:
 * `[batch, length, vocabularySize + 1]`, or `[batch, length, paddedVocabularySize]`. The columns after those of the image tokens are those
 * of the begin token and of padding, which must never be sampled.
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

/** `[batch, length, width]` to logits `[batch, length, logitsWidth]`. */
function head(scope: ParameterScope, stack: Stack, x: Tensor, { tieEmbeddings = false }: DecoderConfig): Tensor {
  const { initializer, tokens, width } = stack;
  if (!tieEmbeddings) return linear(scope.in('lm_head'), x, tokens, { bias: false, initializer });
  const embeddings = scope.in('embed_tokens').parameter('weight', [tokens, width], initializer);
  return matmul(x, embeddings, { transposeB: true });
}

/** A caption as training has it. */
export interface TextInput {
  /** `[batch, length, textWidth]`. */
  readonly hiddenStates: Tensor;
  /** int32 `[batch, length]`: 1 for a token, 0 for padding. */
  readonly attentionMask: Tensor;
}

/** Logits at every position when the right tokens, int32 `[batch, gridSize²]`, are given: for training, and for measuring. */
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
