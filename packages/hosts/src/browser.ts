/** What a browser has of this package: it is always one host. */
export { HostError } from './error.js';
export { type Hosts, oneHost } from './hosts.js';
