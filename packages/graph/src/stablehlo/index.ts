/** Graphs as modules of StableHLO, for XLA. */
export { type AxisSize, type AxisSizes, evaluateSize } from './axis-size.js';
export { type BlockSource, isWhole, readBlock, type TensorElements, writeBlock } from './blocks.js';
export {
  type Constraint,
  emitStableHlo,
  type StableHloArgument,
  type StableHloModule,
  type StableHloOptions,
  type StableHloResult,
} from './emit.js';
export {
  type DeviceMesh,
  deviceMeshField,
  type ParameterSharding,
  type PartitionRule,
  shardingField,
} from './parameter-sharding.js';
export { type Partition, partition } from './partition.js';
export { blockOf, deviceCount, type Mesh, type OpenSharding, type Sharding, type TensorBlock } from './sharding.js';
