import decoder from '@dalle-mini/emoji/model/decoder/config.json' with { type: 'json' };
import model from '@dalle-mini/emoji/model/model.json' with { type: 'json' };
import vqgan from '@dalle-mini/emoji/model/vqgan/config.json' with { type: 'json' };
import type { ModelFacts } from './model.js';

/** The sizes and defaults of the bundled model, which the page shows before the model is loaded. */
export const emojiFacts: ModelFacts = {
  imageSize: vqgan.resolution,
  gridSize: decoder.gridSize,
  vocabularySize: decoder.vocabularySize,
  sampling: model.sampling,
  maxImages: 9,
  isRanked: false,
};
