/** Downloads models of the Hugging Face hub, and uploads them. */
export { huggingFaceFiles } from './files/hugging-face-folder.js';
export { chooseWeights } from './files/weights-files.js';
export { type DownloadedModel, type DownloadOptions, downloadModel } from './hub/download-model.js';
export { HubError } from './hub/error.js';
export { isHubName } from './hub/hub-name.js';
export type { HubFile } from './hub/listing.js';
export { type HubOptions, hubFields } from './hub/options.js';
export type { DownloadProgress, UploadProgress } from './hub/progress.js';
export { resolveModelFolder } from './hub/resolve-model.js';
export { type UploadedFile, type UploadedFolder, type UploadOptions, uploadFolder } from './hub/upload-folder.js';
