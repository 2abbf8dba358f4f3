/** The jobs of preparing a data set, for programs that distribute them. */

export type { CaptionOptions } from './captions/clean.js';
export type { Lookup } from './download/dispatcher.js';
export type { DownloadOptions } from './download/options.js';
export type { ListFormat } from './lists/formats.js';
export type { ColumnValue, Row, RowProblem } from './lists/row.js';
export type { PrepareProgress } from './meter.js';
export type { JudgedPicture, PictureFilter, Verdict } from './pictures/filter.js';
export type { PictureOptions } from './pictures/options.js';
export { type Plan, type ProblemCount, shardCount } from './plan.js';
export type { PresetName } from './presets.js';
export { PrepareSession, type SessionOptions } from './session.js';
export type { ListSettings, PrepareSettings, S3Options, Share } from './settings.js';
export type { ShardJob, Work } from './shards/jobs.js';
export { readJob, rowsName, writeRows } from './shards/row-files.js';
export type { ShardStats } from './shards/stats.js';
export type { Storage } from './shards/storage.js';
export type { PrepareSummary } from './summary.js';
