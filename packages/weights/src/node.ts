/** What needs a file system. */
export { FileError } from './errors/file-error.js';
export { writeFileAtomically } from './files/atomic-write.js';
export {
  locateTensors,
  readCheckpointFile,
  type TensorLocation,
  writeCheckpointFile,
  writeFlaxCheckpointFile,
} from './files/checkpoint-file.js';
export { type HuggingFaceModel, readHuggingFaceFolder } from './files/hugging-face-folder.js';
export { isThere, readJsonFile, readTextFile } from './files/read-file.js';
