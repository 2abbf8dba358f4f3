/** Graphs as modules of StableHLO, for XLA. */
export { type AxisSize, type AxisSizes, evaluateSize } from './axis-size.js';
export {
  emitStableHlo,
  type StableHloArgument,
  type StableHloModule,
  type StableHloOptions,
  type StableHloResult,
} from './emit.js';
export type { Mesh, Sharding } from './sharding.js';
