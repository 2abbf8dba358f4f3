/** Datasets of pictures in browsers, and what training needs of datasets. */
export { DataError } from '../data-error.js';
export { type Dataset, type Sample, type SampleDescription, usableIndices } from '../dataset.js';
export { flipHorizontally } from '../flip.js';
export { type HeldOut, type HoldOutOptions, holdOut } from '../hold-out.js';
export {
  type CaptionChoice,
  chooseCaption,
  createSampler,
  groupIndices,
  type Sampler,
  type SamplerOptions,
  type ShardSamplerOptions,
} from '../sampler.js';
export { subset } from '../subset.js';
export {
  type CaptionEncoder,
  captionEncoderOf,
  describeEncoder,
  isSameEncoder,
} from '../token-shards/caption-encoder.js';
export type { CaptionStates, StoredHiddenStates } from '../token-shards/caption-states.js';
export type { TokenDataset } from '../token-shards/read.js';
export type { TokenSample } from '../token-shards/shard.js';
export { type EncodeImagesOptions, encodeImages } from './encode-images.js';
export { type BrowserImage, type OpenImagesOptions, openImages, type Picture } from './open-images.js';
