export {
  type ImageRanker,
  type ImageTokenDecoder,
  type ImageTokenizer,
  OptionError,
  type Progress,
  type RgbImage,
  type SamplingOptions,
  type TextEncoder,
  type TextWarning,
} from '@dalle-mini/core';
export { type Dtype, dtypes } from './dtype.js';
export { ModelFolderError } from './folder.js';
export { type FromPretrainedOptions, fromPretrained } from './from-pretrained.js';
export {
  decodeImage,
  type EncodeImageOptions,
  encodeImage,
  type ImageFormat,
  imageFormats,
  saveImage,
} from './images/image-file.js';
export { type ImageGridOptions, imageGrid } from './images/image-grid.js';
export {
  type ModelDescription,
  type ModelParts,
  readModelDescription,
  readModelFolder,
  type WriteModelOptions,
  writeModelFolder,
  writeVqgan,
} from './model-folder.js';
export { type DecoderPart, openDecoder, readDecoder, readVqgan, type VqganPart } from './model-part.js';
export type { LoadProgress, PublishedModelOptions } from './published-model.js';
export { type ReleaseParts, writeRelease } from './release-folder.js';
export {
  type BartPart,
  openTextEncoder,
  readTextEncoder,
  type TextEncoderDescription,
  type TextEncoderPart,
  type TokenizerFileName,
} from './text-encoder-part.js';
export {
  checkPrompt,
  DisposedError,
  GeneratedImage,
  type GenerateOptions,
  type GenerateProgress,
  type GenerateUpdate,
  TextToImage,
  type TextToImageParts,
} from './text-to-image.js';
