export {
  checkDecoderConfig,
  type DecoderConfig,
  type DecoderSizes,
  decoderConfigField,
  decoderPresets,
  decoderSizesField,
} from './config.js';
export { DalleMiniDecoder, type DalleMiniDecoderOptions } from './dalle-mini-decoder.js';
export { type TextInput, teacherForced } from './decoder.js';
export { decoderParameters, type RowShape, rowGraph, textGraph } from './decoding.js';
export {
  type ExportedTextEncoderConfig,
  exportConfig,
  exportDecoder,
  importDecoder,
  importDecoderConfig,
} from './published.js';
export { guide } from './sampling.js';
