/** What runs use of `node:path`. */
export { basename, dirname, join, resolve } from 'pathe';
