/** Preparing data sets on many machines: jobs on Redis or Valkey, by BullMQ. */
export { type CoordinateOptions, type CoordinateSummary, coordinate, type GivenUpShard } from './coordinate.js';
export { type QueueStatus, queueStatus } from './status.js';
export { type WorkOptions, work } from './work.js';
