import { OptionError } from '@dalle-mini/core';
import { isFolder } from '@dalle-mini/core/node';
import { type DownloadOptions, downloadModel } from './download-model.js';
import { HubError } from './error.js';
import { isHubName } from './hub-name.js';
import type { HubOptions } from './options.js';

/**
 * Returns the folder of a model: the given one or, for a name of the hub, the one that its files are downloaded to.
 *
 * @param source A folder, or a name such as `dalle-mini/dalle-mini`.
 * @param files The files to download: see {@link DownloadOptions}.
 * @throws OptionError if it is neither, or an option is wrong; HubError and FileError like {@link downloadModel}.
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
