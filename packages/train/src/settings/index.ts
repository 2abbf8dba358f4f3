/** Training from settings, as the command `dalle-mini train` does it. */
export { type ImageSurvey, type SurveyOptions, surveyImages } from './data.js';
export { type EvaluateVqganOptions, evaluateVqgan } from './evaluate-vqgan.js';
export { type OpenCaptionEncoderOptions, type OpenModelOptions, openCaptionEncoder } from './models.js';
export { type Preset, type PresetOptions, type PresetSettings, presetSettings, presets } from './presets.js';
export type {
  EncodingProgress,
  PreparationProgress,
  PriorProgress,
  SettingsProgress,
  StepProgress,
} from './progress.js';
export { type SettingsKind, settingsSchema, settingsSchemaFile } from './schema.js';
export {
  type DatasetSettings,
  type DecoderSettings,
  type FileDatasetSettings,
  type ReadSettingsOptions,
  type RunSettings,
  readDecoderSettings,
  readVqganSettings,
  SettingsError,
  type TextEncoderSettings,
  type TokenDatasetSettings,
  type VqganFineTuning,
  type VqganSettings,
} from './settings.js';
export {
  type TrainedModel,
  type TrainFromSettingsOptions,
  trainDecoderFromSettings,
  trainVqganFromSettings,
} from './train-from-settings.js';
