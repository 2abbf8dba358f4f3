import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunName } from './grid.js';

/** Where the results of the study are. */
export const resultsFolder = fileURLToPath(new URL('../results', import.meta.url));

/** The path of the result of a run with a seed. */
export const resultPath = (folder: string, run: RunName, seed: number): string => join(folder, `${run}-${seed}.json`);
