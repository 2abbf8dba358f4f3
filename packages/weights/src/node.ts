/** What needs a file system. */
export {
  locateTensors,
  readCheckpointFile,
  type TensorLocation,
  writeCheckpointFile,
  writeFileAtomically,
  writeFlaxCheckpointFile,
} from './checkpoint-file.js';
export { FileError } from './file-error.js';
export {
  type HuggingFaceModel,
  isThere,
  readHuggingFaceFolder,
  readJsonFile,
  readTextFile,
} from './hugging-face-folder.js';
