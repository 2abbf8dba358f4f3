/** The jobs of preparing a data set, for programs that distribute them. */

export type { Archive } from './encode/archives.js';
export {
  checkEncodeModels,
  type EncodeArchiveOptions,
  type EncodeModels,
  EncodeSession,
  type EncodeSessionOptions,
} from './encode/session.js';
export type * from './index.js';
export { shardCount } from './plan.js';
export { PrepareSession } from './session.js';
export type { ShardJob, Work } from './shards/jobs.js';
export { readJob, rowsName, writeRows } from './shards/row-files.js';
export type { ShardStats } from './shards/stats.js';
export type { Storage } from './shards/storage.js';
