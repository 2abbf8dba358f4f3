import type { StoredParameter } from '@dalle-mini/graph/stored';
import { CompiledTextEncoder, type CompiledTextEncoderOptions } from '../compiled-text-encoder.js';
import { type ClipTextLayer, clipTextGraph } from './clip-text.js';
import type { ClipTextConfig } from './config.js';

export interface ClipTextEncoderOptions extends CompiledTextEncoderOptions {
  /** Which hidden states `encode` returns: the last, normalized, or those before the last layer. Default `last`. */
  readonly layer?: ClipTextLayer | undefined;
}

/** CLIP's text encoder. Its encodings have `pooled`, the embeddings that captions share with images. */
export class ClipTextEncoder extends CompiledTextEncoder {
  /**
   * @param config The sizes of the model, from `parseClipTextConfig`.
   * @param parameters The parameters of `clipText`, from `clipTextWeights`. Unknown ones are ignored.
   * @throws OptionError if an option is wrong, such as a `maxLength` of more than the positions of the model.
   */
  constructor(
    config: ClipTextConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    { layer = 'last', ...options }: ClipTextEncoderOptions,
  ) {
    const { vocabularySize, maxLength: positions, text, projectionSize } = config;
    const model = {
      width: text.width,
      pooledWidth: projectionSize ?? text.width,
      positions,
      vocabularySize,
      lengthVaries: false,
      config: { ...config, layer },
      graph: (batch: number, length: number) => clipTextGraph(config, layer, batch, length),
    };
    super(model, parameters, options, 'new ClipTextEncoder');
  }
}
