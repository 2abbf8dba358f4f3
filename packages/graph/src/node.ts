/** What needs the file system, but no runtime. */
export { readParameter } from './stored/read-parameter.js';
