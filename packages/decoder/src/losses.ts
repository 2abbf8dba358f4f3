/** The losses of decoders, for training and evaluation. */
import {
  add,
  cast,
  crossEntropy,
  div,
  equal,
  maximum,
  mean,
  mul,
  type ParameterScope,
  sliceAxis,
  sum,
  type Tensor,
} from '@dalle-mini/graph';
import { teacherForced } from './dalle-mini/decoder.js';
import type { DecoderOnlyConfig } from './decoder-only/config.js';
import { decoderOnlyLogits, type TokenInput } from './decoder-only/decoder-only.js';
import { llamaGenLogits } from './llama-gen/llama-gen.js';
import { maskedLogits } from './masked/masked-transformer.js';
import type { AnyDecoderConfig } from './models.js';

/** Captions as inputs of a training graph: what the kind of decoder reads of them. */
export interface CaptionInput {
  /** Token ids, int32 `[batch, length]`. */
  readonly ids?: Tensor | undefined;
  /** `[batch, length, textWidth]`. */
  readonly hiddenStates?: Tensor | undefined;
  /** int32 `[batch, length]`: 1 for a token, 0 for padding. */
  readonly attentionMask?: Tensor | undefined;
  /** int32 `[batch]`: 1 for a caption that LlamaGen reads as none. */
  readonly dropped?: Tensor | undefined;
}

/** Mean cross entropies of a token in nats, scalars. */
export interface DecoderLoss {
  /** Of image tokens. */
  readonly image: Tensor;
  /** Of text tokens, if the model predicts them. */
  readonly text?: Tensor | undefined;
}

/**
 * Computes the loss of a decoder of any kind: the mean cross entropy of each token, given those before it, or of each masked
 * token, given the others.
 *
 * @param given The tokens that the decoder reads, int32 `[batch, gridSize²]`.
 * @param targets The tokens that it predicts, of the same shape. The same, unless the given ones are changed.
 */
export function decoderLoss(
  scope: ParameterScope,
  config: AnyDecoderConfig,
  given: Tensor,
  targets: Tensor,
  caption: CaptionInput,
): DecoderLoss {
  switch (config.kind) {
    case 'decoder-only': {
      const input = caption as TokenInput;
      const { image, text } = decoderOnlyLogits(scope, config, given, input);
      return { image: mean(crossEntropy(image, targets)), text: textLoss(config, text, input) };
    }
    case 'llama-gen':
      return { image: mean(crossEntropy(llamaGenLogits(scope, config, given, caption).image, targets)) };
    case 'masked': {
      const { hiddenStates, attentionMask } = caption as Required<CaptionInput>;
      const text = { hiddenStates: hiddenStates!, attentionMask: attentionMask! };
      const logits = maskedLogits(scope, config, given, text);
      return { image: maskedLoss(logits, given, targets, config.vocabularySize) };
    }
    default: {
      const { hiddenStates, attentionMask } = caption as Required<CaptionInput>;
      const logits = teacherForced(scope, config, given, {
        hiddenStates: hiddenStates!,
        attentionMask: attentionMask!,
      });
      return { image: mean(crossEntropy(logits, targets)) };
    }
  }
}

/**
 * The mean over the masked tokens of each image (MaskGIT, Chang et al. 2022, equation 1), then over the images, so that the loss of a batch
 * is the mean of those of its parts.
 */
function maskedLoss(logits: Tensor, given: Tensor, targets: Tensor, maskToken: number): Tensor {
  const masked = cast(equal(given, maskToken), 'float32'); //                           [batch, gridSize²]
  const losses = sum(mul(crossEntropy(logits, targets), masked), { axes: [1] }); //     [batch]
  return mean(div(losses, maximum(sum(masked, { axes: [1] }), 1)));
}

/** The mean over the text tokens from the second: of all with padding, or without it if that is left out. */
function textLoss(
  { text, textLength, sharedEmbeddings, vocabularySize }: DecoderOnlyConfig,
  logits: Tensor,
  { ids, attentionMask }: TokenInput,
): Tensor | undefined {
  if (textLength === 1) return undefined;
  const next = (of: Tensor) => sliceAxis(of, 1, 1, textLength);
  const labels = sharedEmbeddings ? add(next(ids), vocabularySize) : next(ids);
  const losses = crossEntropy(sliceAxis(logits, 1, 0, textLength - 1), labels);
  if (text !== 'separator') return mean(losses);
  const weights = cast(next(attentionMask), 'float32');
  return div(sum(mul(losses, weights)), maximum(sum(weights), 1));
}
