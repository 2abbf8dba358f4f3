/** What needs the file system, but no runtime. */
export { readParameter } from './runtimes/read-parameter.js';
