/** Downloads models of the Hugging Face hub. */
export { huggingFaceFiles } from './files/hugging-face-folder.js';
export { type DownloadedModel, type DownloadOptions, downloadModel } from './hub/download-model.js';
export { HubError } from './hub/error.js';
export type { HubFile } from './hub/listing.js';
export { type HubOptions, hubFields } from './hub/options.js';
export type { DownloadProgress } from './hub/progress.js';
export { isHubName, resolveModelFolder } from './hub/resolve-model.js';
