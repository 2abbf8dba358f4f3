/** Data sets from lists of URLs: downloading, and WebDataset shards in the layout of img2dataset. */

export type { S3Options } from '@dalle-mini/data';
export type { CaptionOptions } from './captions/clean.js';
export type { Lookup } from './download/dispatcher.js';
export type { DownloadProblem } from './download/download-error.js';
export type { WasOffline } from './download/downloader.js';
export type { DownloadOptions } from './download/options.js';
export { type EncodeArchivesOptions, type EncodeArchivesProgress, encodeArchives } from './encode/encode-archives.js';
export type { ArchiveProgress } from './encode/session.js';
export type { ListFormat } from './lists/formats.js';
export type { ColumnValue, Row, RowProblem } from './lists/row.js';
export type { PrepareProgress } from './meter.js';
export type { JudgedPicture, PictureFilter, Verdict } from './pictures/filter.js';
export type { PictureOptions } from './pictures/options.js';
export type { PictureProblem } from './pictures/picture.js';
export type { Plan, ProblemCount } from './plan.js';
export { type PrepareOptions, prepare } from './prepare.js';
export type { PresetName } from './presets.js';
export type { SessionOptions } from './session.js';
export {
  type ListSettings,
  type PrepareSettings,
  readPrepareSettings,
  type Share,
} from './settings.js';
export { StorageError } from './shards/s3-storage.js';
export type { PrepareSummary } from './summary.js';
