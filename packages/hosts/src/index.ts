/** Several processes that train as one. */
export { HostError } from './error.js';
export { type Hosts, oneHost } from './hosts.js';
export { type JoinOptions, joinHosts } from './join.js';
export { findLaunch, type Launch } from './launch.js';
export { CoordinatorClient, type CoordinatorClientOptions } from './store/client.js';
export { Coordinator, type CoordinatorOptions } from './store/server.js';
