import { UsageError } from './errors.js';

/** Loads the optional package of queues. */
export async function loadQueue(): Promise<typeof import('@dalle-mini/queue')> {
  return import('@dalle-mini/queue').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('--queue needs the package @dalle-mini/queue. Run: npm install @dalle-mini/queue');
  });
}
