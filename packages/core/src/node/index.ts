/** File utilities: finding packages, reading text and JSON, and writing files and folders atomically. */
export { FileError, isMissing, isSystemError, withFileErrors } from './file-error.js';
export { findPackageFile, installAdvice, isInArchive, placesOfPackages } from './find-package.js';
export { exists, isFolder, openFile, readBytes, readJsonFile, readTextFile, readTextIfPresent } from './read.js';
export { environmentVariable, expandHome, userCacheFolder } from './user-folders.js';
export { isTemporaryName, makeFolder, writeFileAtomically, writeJsonFile } from './write-file.js';
export {
  isTemporaryFolderName,
  recoverFolder,
  type WriteFolderOptions,
  writeFolderAtomically,
} from './write-folder.js';
