export { DataError } from './data-error.js';
export { type Dataset, type Sample, type SampleDescription, usableIndices } from './dataset.js';
export { decodeImage } from './decode-image.js';
export { flipHorizontally } from './flip.js';
export { type HeldOut, type HoldOutOptions, holdOut } from './hold-out.js';
export { mayFlip, type PreprocessOptions, preprocessImage } from './preprocess.js';
export { type DownloadFileOptions, downloadFile, isAddress } from './remote/files.js';
export { type S3Access, type S3Options, s3Access } from './remote/s3.js';
export {
  type CaptionChoice,
  chooseCaption,
  createSampler,
  groupIndices,
  type Sampler,
  type SamplerOptions,
  type ShardSamplerOptions,
} from './sampler.js';
export { type DatasetReport, summarizeReport } from './scan/report.js';
export type { ScanOptions, ScanProgress } from './scan/scan.js';
export { type Archives, type ArchivesOptions, archiveSeparator, openArchives } from './sources/archives.js';
export { type ImageFilesOptions, openImageFiles } from './sources/image-files.js';
export { type ImageFolderOptions, type ListImageFolderOptions, openImageFolder } from './sources/image-folder.js';
export type { Omission, OmissionReason } from './sources/listing.js';
export type { FileDataset, OpenOptions } from './sources/open-dataset.js';
export { type ListWebDatasetOptions, openWebDataset, type WebDatasetOptions } from './sources/web-dataset.js';
export { subset } from './subset.js';
export { hasTokenShards, readArchiveNames, writeArchiveNames } from './token-shards/archives-file.js';
export {
  type CaptionEncoder,
  captionEncoderOf,
  describeEncoder,
  isSameEncoder,
} from './token-shards/caption-encoder.js';
export type { CaptionStates, StoredHiddenStates } from './token-shards/caption-states.js';
export { type CaptionsProgress, type EncodeCaptionsOptions, encodeCaptions } from './token-shards/encode-captions.js';
export {
  type OpenTokenShardsOptions,
  openTokenShards,
  type ShardDescription,
  type TokenDataset,
  type TokenShards,
} from './token-shards/read.js';
export type { TokenSample } from './token-shards/shard.js';
export { hasHiddenStates } from './token-shards/states-file.js';
export { type EncodeProgress, type WriteTokenShardsOptions, writeTokenShards } from './token-shards/write.js';
