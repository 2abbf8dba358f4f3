/** Training from settings, as the command `dalle-mini train` does it. */
export type { EncodingProgress, PreparationProgress, SettingsProgress } from './progress.js';
export {
  type DatasetSettings,
  type DecoderSettings,
  type DecoderSizes,
  type RunSettings,
  readDecoderSettings,
  readVqganSettings,
  SettingsError,
  type TextEncoderSettings,
  type VqganSettings,
} from './settings.js';
export {
  type TrainedModel,
  type TrainFromSettingsOptions,
  trainDecoderFromSettings,
  trainVqganFromSettings,
} from './train-from-settings.js';
