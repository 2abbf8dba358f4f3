export {
  clipImageEmbeddings,
  clipImageStates,
  clipParameters,
  clipSimilarities,
  clipTextEmbeddings,
  clipTextStates,
} from './clip.js';
export {
  type ClipFiles,
  ClipRanker,
  type ClipRankerOptions,
  captionGraph,
  type RankOptions,
  scoreGraph,
} from './clip-ranker.js';
export {
  type ClipConfig,
  type ClipTransformerConfig,
  checkClipConfig,
  clipPresets,
  parseClipConfig,
} from './config.js';
export { type PixelWindow, resizeBicubic, writeClipPixels } from './pixels.js';
export { type ClipTokenizer, clipTokenizerJson, loadClipTokenizer } from './tokenizer.js';
export { clipWeights } from './weights.js';
