import { DalleMiniError } from '../errors.js';

/** The browser refuses to keep a file of this website: it has no room, or its storage is damaged or turned off. */
export class BrowserStorageError extends DalleMiniError {
  static override readonly code = 'BROWSER_STORAGE';
}

/** Explains why a browser does not write a file. */
export function explainWrite(name: string, error: unknown): BrowserStorageError {
  const { name: kind = '', message = String(error) } = error as Error;
  const isFull = kind === 'QuotaExceededError';
  return new BrowserStorageError(
    isFull
      ? `The browser has no room to keep ${name} for this website. Free disk space, or remove what the website keeps.`
      : `The browser cannot keep ${name} for this website: ${message} Allow the website to store data, and try again.`,
    { cause: error },
  );
}
