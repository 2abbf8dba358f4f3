import { abortSignal, boolean, callback, type Fields, field, optional, string } from '@dalle-mini/core';
import { isInsideFolder } from './listing.js';
import type { DownloadProgress } from './progress.js';
import { isWebAddress } from './settings.js';

/** How a model is found on the hub and downloaded. A model in a folder needs none of these. */
export interface HubOptions {
  /** A branch, a tag or a commit. Default `main`. */
  readonly revision?: string | undefined;
  /** The folder of all models. Default: `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`. */
  readonly cacheDir?: string | undefined;
  /** The address of the hub or of a mirror. Default: `HF_ENDPOINT`, or `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** The access token; an empty one means none. Default: `HF_TOKEN`, or the one that `hf auth login` stored. */
  readonly token?: string | undefined;
  /** Uses the cache only, without the network. Default: whether `HF_HUB_OFFLINE` is 1. */
  readonly offline?: boolean | undefined;
  /** Cancels the download: the promise rejects with the signal's reason. The next call resumes it. */
  readonly signal?: AbortSignal | undefined;
  /** Receives the number of bytes, up to ten times a second, and once at the end. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** The fields of {@link HubOptions}, for the options of calls that open a model. */
export const hubFields: Fields<HubOptions> = {
  revision: optional(
    field('the name of a branch, a tag or a commit', (value) => typeof value === 'string' && isInsideFolder(value)),
  ),
  cacheDir: optional(string()),
  endpoint: optional(field('a web address such as "https://huggingface.co"', isWebAddress)),
  token: optional(string({ minLength: 0 })),
  offline: optional(boolean()),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
};
