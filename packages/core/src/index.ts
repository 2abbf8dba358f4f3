export {
  ConfigError,
  DalleMiniError,
  DisposedError,
  describeValue,
  type ErrorData,
  errorFromData,
  errorToData,
  OptionError,
  quote,
} from './errors.js';
export { forEachInTurns, fromTimeToTime, nextTurn } from './event-loop.js';
export {
  abortSignal,
  boolean,
  type Complete,
  callback,
  type Field,
  type Fields,
  field,
  implementation,
  integer,
  type JsonSchema,
  list,
  type NumberRange,
  number,
  type ObjectRules,
  object,
  oneOf,
  optional,
  readConfig,
  readOptions,
  refuse,
  string,
  type ValueOf,
  variant,
} from './fields.js';
export { checkImage, type RgbImage } from './image.js';
export type { ImageRanker, RankOptions } from './image-ranker.js';
export type { DecodeOptions, DecodeProgress, ImageTokenDecoder, InitialTokens } from './image-token-decoder.js';
export type { ImageDecodeOptions, ImageEncodeOptions, ImageTokenizer } from './image-tokenizer.js';
export { parseJsonObject, withOverrides } from './json.js';
export { type NamePatterns, nameMatcher, namePatternsField } from './name-patterns.js';
export type { Progress, Stage } from './progress.js';
export {
  createRandom,
  hash,
  integerBelow,
  permutation,
  type Random,
  shuffled,
  uniform,
  type Word,
} from './random.js';
export { type SamplingOptions, samplingFields, seedField } from './sampling.js';
export { sizeFields } from './sizes.js';
export { decodeText, EncodingError } from './text.js';
export type { TextEncodeOptions, TextEncoder, TextEncoding, TextWarning } from './text-encoder.js';
