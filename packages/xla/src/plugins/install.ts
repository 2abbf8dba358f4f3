import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  abortSignal,
  callback,
  OptionError,
  object,
  optional,
  type Progress,
  readOptions,
  string,
} from '@dalle-mini/core';
import { exists, writeFolderAtomically } from '@dalle-mini/core/node';
import { XlaError } from '../error.js';
import { type CatalogEntry, catalog, type PluginName } from './catalog.js';
import type { Plugin } from './find.js';
import { installedFolder, pluginsFolder } from './folders.js';
import { downloadWheel, packageIndex } from './package-index.js';
import { unpackWheel } from './wheel.js';

export interface InstallOptions {
  /**
   * The address of a package index. A user and a password in it are sent to this index only. Default: `PIP_INDEX_URL`, as pip reads
   * it, or else PyPI.
   */
  readonly indexUrl?: string | undefined;
  /** Called while the wheel is downloaded, in bytes. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Cancels: the promise rejects with its reason, and nothing stays behind. */
  readonly signal?: AbortSignal | undefined;
}

const fields = object<InstallOptions>({
  indexUrl: optional(string()),
  onProgress: optional(callback<(progress: Progress) => void>()),
  signal: optional(abortSignal()),
});

/** Returns the entry of the catalog with this name. */
function entryNamed(name: PluginName): CatalogEntry {
  const names = catalog.map((entry) => entry.name);
  const entry = catalog.find((one) => one.name === name);
  if (!entry) throw new OptionError('name', `one of ${names.join(', ')}`, name);
  return entry;
}

/** Returns the licence of a plugin: its name, or where its terms are. */
export function pluginLicense(name: PluginName): string {
  return entryNamed(name).license;
}

/**
 * Installs a plugin of XLA for this user: downloads a pinned wheel from a Python package index, checks its SHA-256 and unpacks the library.
 * It needs no Python. If the plugin is already installed, it returns at once.
 *
 * @param name `cpu`; `cuda12` or `cuda13` for GPUs of NVIDIA; `tpu` for TPUs of Google Cloud.
 * @throws OptionError if the name or an option is invalid; XlaError if there is no plugin for this computer, if it cannot be downloaded, or
 *   if the download is not the pinned one; FileError if it cannot be written.
 *
 * @example
 * ```ts no-run
 * import { installPlugin } from '@dalle-mini/xla/plugins';
 *
 * const { path } = await installPlugin('cpu', { onProgress: ({ done, total }) => console.log(`${done} of ${total} bytes`) });
 * console.log(path);
 * ```
 */
export async function installPlugin(name: PluginName, options: InstallOptions = {}): Promise<Plugin> {
  return installEntry(entryNamed(name), readOptions(fields, options, 'installPlugin'));
}

/** Installs a plugin of a catalog. */
export async function installEntry(entry: CatalogEntry, options: InstallOptions): Promise<Plugin> {
  const { name } = entry;
  const { indexUrl, onProgress, signal } = options;
  const here = `${process.platform}-${process.arch}`;
  const wheel = entry.wheels.find(({ platform }) => platform === here);
  if (!wheel) {
    const platforms = entry.wheels.map(({ platform }) => platform).join(' and ');
    throw new XlaError(
      `There is no ${name} plugin for ${here}, only for ${platforms}. Set PJRT_PLUGIN_LIBRARY_PATH to a library of your own.`,
    );
  }
  const index = packageIndex(indexUrl);
  const folder = installedFolder(pluginsFolder(), entry);
  const path = join(folder, entry.library);
  const plugin: Plugin = { path, device: entry.device, source: 'installed', name, version: entry.version };
  if (await exists(path)) return plugin;
  signal?.throwIfAborted();
  const write = async (temporary: string) => {
    const download = join(temporary, wheel.file);
    const report = (done: number) => onProgress?.({ stage: 'download', done, total: wheel.bytes, unit: 'bytes' });
    await downloadWheel(download, { index, project: entry.project, wheel, signal, onBytes: report });
    await unpackWheel(download, entry.library, temporary, signal);
    await rm(download);
  };
  await writeFolderAtomically(folder, write, { keep: () => exists(path) });
  return plugin;
}
