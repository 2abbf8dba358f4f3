/** Preparing data sets on many machines: jobs on Redis or Valkey, by BullMQ. */
export { type CoordinateOptions, type CoordinateSummary, coordinate } from './coordinate.js';
export {
  type CoordinateEncodingOptions,
  coordinateEncoding,
  type EncodingProgress,
  encodingStatus,
  type SharedEncodeOptions,
  type WorkOnEncodingOptions,
  workOnEncoding,
} from './encode.js';
export { openQueues, type ShardData } from './queue.js';
export type { GivenUpShard, WorkerOptions } from './shared-work.js';
export { type QueueStatus, queueStatus } from './status.js';
export { type WorkOptions, work } from './work.js';
