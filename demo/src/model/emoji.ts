import type { ModelFacts } from './model.js';

/** The sizes and defaults of the bundled model, which the page shows before the model is loaded. */
export const emojiFacts: ModelFacts = {
  imageSize: 64,
  gridSize: 8,
  vocabularySize: 2048,
  sampling: { temperature: 0.4, topK: 64, topP: 1, guidanceScale: 2 },
  maxImages: 9,
  isRanked: false,
};
