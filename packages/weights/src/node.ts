/** Reads and writes checkpoint files. */
export {
  locateTensors,
  readCheckpointFile,
  type TensorLocation,
  writeCheckpointFile,
  writeFlaxCheckpointFile,
} from './files/checkpoint-file.js';
export { type HuggingFaceModel, readHuggingFaceFolder } from './files/hugging-face-folder.js';
export { findWeights } from './files/weights-files.js';
