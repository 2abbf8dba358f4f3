/**
 * A masked decoder (MaskGIT, Chang et al. 2022): DALL·E Mini's transformer, in which each image token attends to all of them, before and
 * after it, and predicts itself. Text as in Muse (Chang et al. 2023): by cross-attention.
 */
import { input, type ParameterScope, range, type Tensor } from '@dalle-mini/graph';
import { linear } from '@dalle-mini/graph/layers';
import { createStack, decoder, paddingMask, readText, type Stack } from '@dalle-mini/transformer';
import { checkHiddenStates, joinHiddenStates } from '../autoregressive/encodings.js';
import type { TextInput } from '../dalle-mini/decoder.js';
import type { MaskedDecoderConfig } from './config.js';
import type { MaskedModel } from './model.js';

function maskedStack(config: MaskedDecoderConfig): Stack {
  return createStack('decoder', config, {
    // The image tokens and the mask token.
    tokens: config.vocabularySize + 1,
    positions: config.gridSize ** 2,
    depths: { encoder: 1, decoder: config.layers },
    bidirectional: true,
  });
}

/**
 * Computes the logits of the image tokens at all places, `[batch, gridSize², vocabularySize]`, from tokens of which some are
 * `vocabularySize`, the mask token: int32 `[batch, gridSize²]`.
 */
export function maskedLogits(
  scope: ParameterScope,
  config: MaskedDecoderConfig,
  tokens: Tensor,
  { hiddenStates, attentionMask }: TextInput,
): Tensor {
  const stack = maskedStack(config);
  const text = { layers: readText(scope, stack, hiddenStates), mask: paddingMask(attentionMask) };
  const x = decoder(scope, stack, tokens, range(config.gridSize ** 2), text).hiddenStates; // [batch, gridSize², width]
  return linear(scope.in('lm_head'), x, config.vocabularySize, { bias: false, initializer: stack.initializer });
}

/** A masked decoder as it generates. */
export function maskedModel(config: MaskedDecoderConfig): MaskedModel {
  const { gridSize, vocabularySize, textWidth } = config;
  return {
    gridSize,
    vocabularySize,
    maskToken: vocabularySize,
    textLength: undefined,
    textInputs: (sequences, length) => ({
      hiddenStates: input('hiddenStates', [sequences, length, textWidth]),
      attentionMask: input('attentionMask', [sequences, length], 'int32'),
    }),
    logits: (scope, tokens, { hiddenStates, attentionMask }) =>
      maskedLogits(scope, config, tokens, { hiddenStates: hiddenStates!, attentionMask: attentionMask! }),
    checkEncoding: (name, encoding) => checkHiddenStates(name, encoding, textWidth),
    textValues: joinHiddenStates,
  };
}
