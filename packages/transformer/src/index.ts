export {
  checkTransformer,
  normPositions,
  type TransformerConfig,
  transformerFields,
} from './config.js';
export { attendToRow, type KeysAndValues, type Prefix, type RowCache, writeColumn } from './key-value-cache.js';
export { activations } from './options/activations.js';
export type { Depths } from './options/scaling.js';
export { partitionRules } from './partition-rules.js';
export { type ExportOptions, exportTransformer, importTransformer } from './published/checkpoint.js';
export {
  exportTransformerConfig,
  importTransformerConfig,
  type PublishedConfig,
  publishedConfig,
} from './published/config.js';
export { createStack, type Stack, type StackInput } from './stack.js';
export { tokenPositions } from './token-positions.js';
export { decoder, encoder, paddingMask, readText, type TextMemory } from './transformer.js';
