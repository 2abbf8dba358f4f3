import { abortOnSignals } from './errors.js';

/** Aborts when the process is asked to stop. */
export const signal = abortOnSignals();
