import { abortSignal, boolean, callback, type Fields, OptionError, optional, string } from '@dalle-mini/core';
import type { FileDownloadOptions } from '@dalle-mini/weights/browser';
import type { LoadProgress } from '../load-progress.js';
import type { ModelDescription } from '../model-folder/description.js';
import { downloadModelFolder, type ModelFiles } from './model-files.js';
import { findModelSource } from './model-source.js';

/** How a model is found and downloaded. */
export interface DownloadModelOptions {
  /** Of a model of the hub: a branch, a tag or a commit. Default `main`. */
  readonly revision?: string | undefined;
  /** The address of the hub or of a mirror. Default `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** The access token of the hub. Every visitor of a page can read it. */
  readonly token?: string | undefined;
  /** Uses the files that the browser has kept, without the network. Default false. */
  readonly offline?: boolean | undefined;
  /** Keeps the files in the browser (in its origin private file system), and takes them from there. Default true. */
  readonly keep?: boolean | undefined;
  /** Called while the model is downloaded, up to ten times a second. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Cancels: the promise rejects with the signal's reason. What was downloaded is kept for the next call. */
  readonly signal?: AbortSignal | undefined;
}

/** The fields of {@link DownloadModelOptions}. */
export const downloadModelFields: Fields<DownloadModelOptions> = {
  revision: optional(string(), 'main'),
  endpoint: optional(string(), 'https://huggingface.co'),
  token: optional(string({ minLength: 0 })),
  offline: optional(boolean(), false),
  keep: optional(boolean(), true),
  onProgress: optional(callback()),
  signal: optional(abortSignal()),
};

/**
 * Downloads a model: see `fromPretrained`.
 *
 * @param given Options that were read.
 */
export async function downloadModel(
  source: string,
  given: DownloadModelOptions,
): Promise<{ readonly description: ModelDescription; readonly files: ModelFiles }> {
  if (typeof source !== 'string') throw new OptionError('source', 'the name or the address of a model', source);
  const { revision = 'main', offline = false, keep, token, onProgress } = given;
  const endpoint = given.endpoint!.replace(/\/+$/, '');
  const signal = given.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const downloads: FileDownloadOptions = {
    signal,
    keep,
    token: token === '' ? undefined : token,
    origin: new URL(endpoint).origin,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, model: source })),
  };
  const found = await findModelSource(source, { revision, endpoint, offline }, downloads);
  return downloadModelFolder(found, downloads);
}
