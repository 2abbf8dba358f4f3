export { type AmusedConfig, type AmusedFiles, importAmusedConfig } from './amused/config.js';
export { amusedModel } from './amused/model.js';
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
export {
  checkDecoderOnlyConfig,
  type DecoderOnlyConfig,
  type DecoderOnlySizes,
  decoderOnlyPresets,
} from './decoder-only/config.js';
export { decoderOnlyLogits, type TokenInput } from './decoder-only/decoder-only.js';
export { DecoderOnlyDecoder } from './decoder-only/decoder-only-decoder.js';
export { importMinDalleE, importMinDalleEConfig } from './decoder-only/published.js';
export {
  checkLlamaGenConfig,
  type LlamaGenConfig,
  type LlamaGenSizes,
  llamaGenPresets,
} from './llama-gen/config.js';
export { type LlamaGenInput, llamaGenLogits, padAtStart } from './llama-gen/llama-gen.js';
export { LlamaGenDecoder } from './llama-gen/llama-gen-decoder.js';
export { importLlamaGen, importLlamaGenConfig } from './llama-gen/published.js';
export { type CaptionInput, type DecoderLoss, decoderLoss } from './losses.js';
export {
  checkMaskedDecoderConfig,
  type MaskedDecoderConfig,
  type MaskedDecoderSizes,
} from './masked/config.js';
export type { PassShape } from './masked/graph.js';
export { MaskedDecoder } from './masked/masked-decoder.js';
export { maskedModel } from './masked/masked-transformer.js';
export type { MaskedModel } from './masked/model.js';
export { maskTokens } from './masked/schedule.js';
export {
  type AnyDecoder,
  type AnyDecoderConfig,
  type AnyDecoderSizes,
  type AutoregressiveConfig,
  anyDecoderConfigField,
  anyDecoderSizesField,
  checkAnyDecoderConfig,
  createDecoder,
  decoderGraphs,
  decoderParameters,
  rowGraph,
  textGraph,
  textWidthOf,
} from './models.js';
export { guide } from './sampling.js';
