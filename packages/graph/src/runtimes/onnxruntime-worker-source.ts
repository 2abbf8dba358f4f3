/**
 * The program of the worker thread as CommonJS, for programs that a bundler made without its file. The build replaces this module
 * (`rolldown.config.mjs`); sources always have the file.
 */
export const workerSource: string = '';
