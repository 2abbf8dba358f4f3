export {
  DisposedError,
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
export { type FromPretrainedOptions, fromPretrained, isBundledModel, resolveModel } from './from-pretrained.js';
export {
  checkPrompt,
  GeneratedImage,
  type GenerateOptions,
  type GenerateProgress,
  type GenerateUpdate,
  TextToImage,
  type TextToImageParts,
} from './generate/text-to-image.js';
export { type EnlargeImageOptions, enlargeImage } from './images/enlarge-image.js';
export {
  type EncodeImageOptions,
  encodeImage,
  type ImageFormat,
  imageFormats,
  saveImage,
} from './images/image-file.js';
export { type ImageGridOptions, imageGrid } from './images/image-grid.js';
export type { LoadProgress } from './load-progress.js';
export type { ModelDescription } from './model-folder/description.js';
export type { Dtype } from './model-folder/dtype.js';
export { ModelFolderError } from './model-folder/error.js';
export { readModelDescription, readModelFolder, writeModelFolder, writeVqgan } from './model-folder/model-folder.js';
export type {
  AnyTextEncoderPart,
  BartPart,
  ClassesPart,
  ModelParts,
  TextEncoderPart,
  TokenizerFileName,
  TokenizerPart,
  WriteModelOptions,
} from './model-folder/model-parts.js';
export { openDecoderPart, readDecoder, readVqgan } from './model-folder/part.js';
export type { DecoderPart, VqganPart } from './model-folder/part-kind.js';
export { readTextEncoder } from './model-folder/text-encoder.js';
export type { TextEncoderDescription } from './model-folder/text-encoder-description.js';
export { type DeviceName, deviceNames, type OpenRuntimeOptions, openRuntime } from './open-runtime.js';
export type { TrainingDetails } from './publish/model-card.js';
export { type PushedModel, type PushModelOptions, pushModel } from './publish/push-model.js';
export type { PublishedModelOptions } from './published/provide.js';
export { type PublishedModelParts, writePublishedModel } from './published/write.js';
