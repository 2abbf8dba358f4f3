/** Opens models in browsers. Bundlers take it in place of `@dalle-mini/pipeline`. */

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
export { BrowserStorageError } from '@dalle-mini/core/browser';
export { OutOfMemoryError, RuntimeUnavailableError } from '@dalle-mini/graph';
export { HubError, removeDownloads } from '@dalle-mini/weights/browser';
export {
  checkPrompt,
  GeneratedImage,
  type GenerateOptions,
  type GenerateProgress,
  type GenerateUpdate,
  TextToImage,
  type TextToImageParts,
} from '../generate/text-to-image.js';
export type { EncodeImageOptions, ImageFormat } from '../images/image-file.js';
export { encodeImage, saveImage } from '../images/image-file-browser.js';
export { type ImageGridOptions, imageGrid } from '../images/image-grid.js';
export type { LoadProgress } from '../load-progress.js';
export { ModelFolderError } from '../model-folder/error.js';
export type { ModelParts } from '../model-folder/model-parts.js';
export { type OpenInWorkerOptions, openInWorker, TextToImageInWorker, WorkerError, type WorkerLike } from './client.js';
export type { DownloadModelOptions } from './download-model.js';
export { type FromPretrainedOptions, fromPretrained } from './from-pretrained.js';
export { type PackModelOptions, packModelFolder } from './pack-model-folder.js';
export { readModelFolder } from './read-model-folder.js';
