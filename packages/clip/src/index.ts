export { clipImageEmbeddings, clipParameters, clipSimilarities } from './clip.js';
export { ClipRanker, type ClipRankerOptions, captionGraph, scoreGraph } from './clip-ranker.js';
export {
  type ClipConfig,
  checkClipConfig,
  clipPresets,
  importClipConfig,
} from './config.js';
export { writeClipPixels } from './pixels.js';
export { importClip } from './published.js';
export { type ClipTokenizer, loadClipTokenizer } from './tokenizer.js';
