export { clipImageEmbeddings, clipParameters, clipSimilarities, clipTextEmbeddings } from './clip.js';
export { ClipRanker, type ClipRankerOptions, captionGraph, scoreGraph } from './clip-ranker.js';
export {
  type ClipConfig,
  type ClipTransformerConfig,
  checkClipConfig,
  clipPresets,
  importClipConfig,
} from './config.js';
export { writeClipPixels } from './pixels.js';
export { importClip } from './published.js';
export { type ClipTokenizer, clipTokenizerJson, loadClipTokenizer } from './tokenizer.js';
