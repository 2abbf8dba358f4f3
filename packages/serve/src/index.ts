export type { ServeOptions } from './options.js';
export type { GenerateRequest } from './requests.js';
export { type ImageServer, serve } from './serve.js';
