/** Files that a website keeps in the browser. */
export { BrowserFolder } from './browser-folder.js';
export { BrowserStorageError } from './storage-error.js';
