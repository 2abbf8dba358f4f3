import { abortOnSignals } from './errors.js';

/** Aborts when the process gets a signal to stop. */
export const signal = abortOnSignals();
