/** CLIP's text encoder, and what CLIP's image encoder has in common with it. */
export { type ClipTextLayer, type ClipTextOutputs, clipText, clipTextGraph } from './clip-text.js';
export { ClipTextEncoder, type ClipTextEncoderOptions } from './clip-text-encoder.js';
export {
  type ClipTextConfig,
  type ClipTransformerConfig,
  clipConfigPart,
  clipTextFields,
  clipTransformerField,
  importClipTransformer,
  type PublishedClipText,
  type PublishedClipTransformer,
  parseClipTextConfig,
  publishedClipText,
  publishedClipTransformer,
  vitB32Text,
} from './config.js';
export { clipTextTokenizer, clipTokenizerJson } from './tokenizer.js';
export { clipTransformer } from './transformer.js';
export { clipTextWeights } from './weights.js';
