export type { ImageTokenDecoder } from '@dalle-mini/decoder';
export type { TextEncoder } from '@dalle-mini/text-encoder';
export type { ImageTokenizer, RgbImage } from '@dalle-mini/vqgan';
export { type EncodeImageOptions, encodeImage, type ImageFormat, imageFormats } from './image-file.js';
export { type ImageGridOptions, imageGrid } from './image-grid.js';
export type { ImageRanker, RankOptions } from './image-ranker.js';
export { type LoadModelOptions, loadModel } from './load-model.js';
export {
  type DecoderPart,
  type ModelDescription,
  ModelFolderError,
  type ModelParts,
  readDecoder,
  readModelDescription,
  readModelFolder,
  readTextEncoder,
  readVqgan,
  type TextEncoderPart,
  type VqganPart,
  type WriteModelOptions,
  writeModelFolder,
  writeVqgan,
} from './model-folder.js';
export { checkDrawingOptions, type DrawingOptions, OptionError, type Sampling } from './options.js';
export {
  checkPrompt,
  type GeneratedImage,
  type GenerateOptions,
  type GenerateProgress,
  TextToImage,
  type TextToImageParts,
} from './text-to-image.js';
