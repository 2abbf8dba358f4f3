/** Where the files of a model are: in the program, on a hub, or in a folder of a website. */
import {
  type FileDownloadOptions,
  findRemoteFile,
  isHubName,
  listHubModel,
  type RemoteFile,
} from '@dalle-mini/weights/browser';
import { ModelFolderError } from '../model-folder/error.js';

/** The files of a model. */
export interface ModelSource {
  /** The name or the address of the model, for error messages. */
  readonly name: string;
  /**
   * Returns a file by its path within the model, or none if the model does not have it. If a website cannot be reached, an error explains
   * why a needed file is not found.
   */
  find(path: string, needed?: 'needed'): Promise<RemoteFile | undefined>;
}

export interface SourceOptions {
  readonly revision: string;
  readonly endpoint: string;
  readonly offline: boolean;
}

/**
 * Finds a model by its name or its address.
 *
 * @throws HubError if a hub does not have it, or cannot be reached.
 */
export async function findModelSource(
  source: string,
  options: SourceOptions,
  downloads: FileDownloadOptions,
): Promise<ModelSource> {
  if (source === 'emoji') return bundledSource();
  if (isHubName(source)) {
    const { files } = await listHubModel(source, { ...downloads, ...options, keep: downloads.keep ?? true });
    return listedSource(source, files);
  }
  return websiteSource(source, options, downloads);
}

/** The model that is a package: bundlers copy its files to the program. */
async function bundledSource(): Promise<ModelSource> {
  const { files } = await import('@dalle-mini/emoji');
  return listedSource(
    'emoji',
    files.map(({ name, url, size, sha256 }) => ({ name, url: url.href, size, checksum: sha256 })),
  );
}

function listedSource(name: string, files: readonly RemoteFile[]): ModelSource {
  const byName = new Map(files.map((file) => [file.name, file]));
  return { name, find: async (path) => byName.get(path) };
}

/** A model folder on a website. */
function websiteSource(address: string, { offline }: SourceOptions, downloads: FileDownloadOptions): ModelSource {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  const folder = address.endsWith('/') ? address : `${address}/`;
  if (!URL.canParse(folder, location?.href))
    throw new ModelFolderError(
      `There is no model at ${address}. Give "emoji", the name of a model on the hub such as dalle-mini/dalle-mini, or the address of a model folder such as /model/.`,
    );
  const base = new URL(folder, location?.href);
  return {
    name: base.href,
    find: (name, needed) =>
      findRemoteFile(name, new URL(name, base).href, { ...downloads, offline, needed: needed === 'needed' }),
  };
}
