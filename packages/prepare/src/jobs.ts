/** The jobs of preparing a data set, for programs that distribute them. */
export { shardCount } from './plan.js';
export { PrepareSession, type SessionOptions } from './session.js';
export type { ShardDownload } from './shards/download-shard.js';
export type { ShardJob, Work } from './shards/jobs.js';
export { readJob, rowsName, writeRows } from './shards/row-files.js';
export { type JobOptions, runJob } from './shards/run-jobs.js';
export type { Sample } from './shards/sample.js';
export type { ShardStats } from './shards/stats.js';
export type { Storage } from './shards/storage.js';
