export { AutoregressiveDecoder, type AutoregressiveDecoderOptions } from './autoregressive/autoregressive-decoder.js';
export type { RowShape } from './autoregressive/graphs.js';
export type { AutoregressiveModel, Encodings, Step, Tensors, Values } from './autoregressive/model.js';
export {
  checkDecoderConfig,
  type DecoderConfig,
  type DecoderSizes,
  decoderConfigField,
  decoderPresets,
  decoderSizesField,
} from './dalle-mini/config.js';
export { DalleMiniDecoder } from './dalle-mini/dalle-mini-decoder.js';
export { type TextInput, teacherForced } from './dalle-mini/decoder.js';
export {
  type ExportedTextEncoderConfig,
  exportConfig,
  exportDecoder,
  importDecoder,
  importDecoderConfig,
} from './dalle-mini/published.js';
export { decoderParameters, rowGraph, textGraph } from './models.js';
export { guide } from './sampling.js';
