/** Downloads files of models in browsers, and keeps them there. */

export { HubError } from '../hub/error.js';
export { isHubName } from '../hub/hub-name.js';
export type { DownloadProgress } from '../hub/progress.js';
export { type FileDownloadOptions, FileDownloads } from './downloads.js';
export { type FindOptions, findRemoteFile } from './find-remote-file.js';
export { type HubListing, type HubListingOptions, listHubModel } from './hub-listing.js';
export { removeDownloads } from './kept-file.js';
export type { RemoteFile } from './remote-file.js';
