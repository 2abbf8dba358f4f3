import { abortSignal, boolean, callback, type Fields, OptionError, optional, string } from '@dalle-mini/core';
import { isFolder } from '@dalle-mini/core/node';
import { type DownloadOptions, downloadModel } from './download-model.js';
import { HubError } from './error.js';

/** How a model is downloaded that is given by its name. A model in a folder needs none of these. */
export type HubOptions = Omit<DownloadOptions, 'files' | 'parallel'>;

/** The fields of {@link HubOptions}, for the options of calls that open a model. */
export const hubFields: Fields<HubOptions> = {
  revision: optional(string()),
  cacheDir: optional(string()),
  endpoint: optional(string()),
  token: optional(string()),
  offline: optional(boolean()),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
};

/** Checks whether a text has the form of a name of the Hugging Face hub, `owner/name`, and is not the path of a model file. */
export function isHubName(text: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text) && !/\.(json|safetensors|pt|msgpack)$/.test(text);
}

/**
 * Returns the folder of a model: the given one or, for a name of the hub, the one that its files are downloaded to.
 *
 * @param source A folder, or a name such as `dalle-mini/dalle-mini`.
 * @param files The files to download: see {@link DownloadOptions}.
 * @throws OptionError if it is neither; as {@link downloadModel}.
 */
export async function resolveModelFolder(
  source: string,
  files: DownloadOptions['files'],
  options: HubOptions = {},
): Promise<string> {
  if (await isFolder(source)) return source;
  if (!isHubName(source))
    throw new OptionError('source', 'a folder that exists, or a hub name such as "dalle-mini/dalle-mini"', source);
  try {
    return (await downloadModel(source, { ...options, files })).folder;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new HubError(`There is no folder ${source}, and the hub cannot provide it: ${error.message}`, {
      cause: error,
    });
  }
}
