export type { ImageTokenDecoder, ImageTokenizer, RgbImage, TextEncoder } from '@dalle-mini/core';
export { ModelFolderError } from './folder.js';
export { type FromPretrainedOptions, fromPretrained } from './from-pretrained.js';
export { type EncodeImageOptions, encodeImage, type ImageFormat, imageFormats } from './image-file.js';
export { type ImageGridOptions, imageGrid } from './image-grid.js';
export type { ImageRanker, RankOptions } from './image-ranker.js';
export {
  type ModelDescription,
  type ModelParts,
  readModelDescription,
  readModelFolder,
  type WriteModelOptions,
  writeModelFolder,
  writeVqgan,
} from './model-folder.js';
export { type DecoderPart, openDecoder, readDecoder, readVqgan, type StoredAs, type VqganPart } from './model-part.js';
export { checkDrawingOptions, type DrawingOptions, OptionError, type Sampling } from './options.js';
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
  type GeneratedImage,
  type GenerateOptions,
  type GenerateProgress,
  TextToImage,
  type TextToImageParts,
} from './text-to-image.js';
