/** Computing graphs with XLA. */
export { XlaError } from './error.js';
export type { CompiledGraphCache } from './runtime/compiled-graphs.js';
export type { XlaHosts } from './runtime/hosts.js';
export type { XlaExecutable } from './runtime/xla-executable.js';
export { XlaRuntime, type XlaRuntimeOptions } from './runtime/xla-runtime.js';
export {
  type CompiledGraph,
  type CompiledMemory,
  XlaTopology,
  type XlaTopologyOptions,
} from './runtime/xla-topology.js';
