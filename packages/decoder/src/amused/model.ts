import { OptionError, type TextEncoding } from '@dalle-mini/core';
import { input, type TensorData } from '@dalle-mini/graph';
import { checkHiddenStates, joinHiddenStates, sequencesOf } from '../autoregressive/encodings.js';
import type { MaskedModel } from '../masked/model.js';
import type { AmusedConfig } from './config.js';
import { amusedLogits } from './uvit.js';

/** aMUSEd's decoder as it generates. It reads all tokens of a caption, padding too, as the published pipeline does. */
export function amusedModel(config: AmusedConfig): MaskedModel {
  const { gridSize, vocabularySize, maskToken, textWidth, textLength, pooledWidth } = config;
  return {
    gridSize,
    vocabularySize,
    maskToken,
    textLength,
    textInputs: (sequences, length) => ({
      hiddenStates: input('hiddenStates', [sequences, length, textWidth]),
      pooled: input('pooled', [sequences, pooledWidth]),
    }),
    logits: (scope, tokens, { hiddenStates, pooled }) =>
      amusedLogits(scope, config, tokens, { hiddenStates: hiddenStates!, pooled: pooled! }),
    checkEncoding(name, encoding) {
      checkHiddenStates(name, encoding, textWidth);
      const { length, batch, pooled } = encoding;
      if (length !== textLength)
        throw new OptionError(`${name}.length`, `${textLength}, to which captions are padded`, length);
      const expected = `${batch * pooledWidth} numbers, of shape [${batch}, ${pooledWidth}]: the embeddings of CLIP`;
      if (pooled?.length !== batch * pooledWidth) throw new OptionError(`${name}.pooled`, expected, pooled?.length);
    },
    textValues(encodings, length) {
      const { hiddenStates } = joinHiddenStates(encodings, length);
      return { hiddenStates, pooled: joinPooled(sequencesOf(encodings), pooledWidth) };
    },
  };
}

function joinPooled(encodings: readonly TextEncoding[], width: number): TensorData {
  const data = Float32Array.from(encodings.flatMap(({ pooled }) => [...pooled!]));
  return { dtype: 'float32', shape: [data.length / width, width], data };
}
