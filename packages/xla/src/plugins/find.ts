import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { environmentVariable, exists, expandHome, isFolder } from '@dalle-mini/core/node';
import { type CatalogEntry, catalog, type Device, type PluginName } from './catalog.js';
import { installedFolder, pluginsFolder } from './folders.js';

/** A plugin of XLA on this computer: a library with the PJRT C API. */
export interface Plugin {
  /** The path of the library. */
  readonly path: string;
  /** What it computes on; undefined if only loading it would tell. */
  readonly device: Device | undefined;
  /** Where it was found: in `PJRT_PLUGIN_LIBRARY_PATH`, installed by `installPlugin`, or among the packages of a Python. */
  readonly source: 'environment' | 'installed' | 'python';
  /** The name under which `installPlugin` knows it, if it does. */
  readonly name: PluginName | undefined;
  /** The version of its package, if it is known. */
  readonly version: string | undefined;
}

/** CPU plugins of PyPI that are found but not installed by `installPlugin`. */
const otherLibraries: readonly Pick<CatalogEntry, 'device' | 'library' | 'project'>[] = [
  { device: 'cpu', project: 'fastatomstruct-xla-cpu', library: 'fastatomstruct_xla_cpu/libpjrt_cpu.so' },
];

/**
 * Finds the plugins of XLA on this computer, without loading them. The first of each device is the one that `XlaRuntime.open` uses:
 * that of `PJRT_PLUGIN_LIBRARY_PATH` before installed ones, and these before those of Python.
 */
export async function findPlugins(): Promise<Plugin[]> {
  const found: Plugin[] = [];
  const path = environmentVariable('PJRT_PLUGIN_LIBRARY_PATH');
  if (path !== undefined)
    found.push({
      path: expandHome(path),
      device: undefined,
      source: 'environment',
      name: undefined,
      version: undefined,
    });
  for (const entry of catalog) {
    const library = join(installedFolder(pluginsFolder(), entry), entry.library);
    const { device, name, version } = entry;
    if (await exists(library)) found.push({ path: library, device, source: 'installed', name, version });
  }
  for (const folder of await pythonFolders()) {
    for (const entry of [...catalog, ...otherLibraries]) {
      const library = join(folder, entry.library);
      if (!(await exists(library))) continue;
      const version = await versionOf(folder, entry.project);
      found.push({ path: library, device: entry.device, source: 'python', name: nameOf(entry), version });
    }
  }
  return found;
}

const nameOf = (entry: object): PluginName | undefined => ('name' in entry ? (entry.name as PluginName) : undefined);

/** Returns the folders of the packages of the active Python environment and of the system's Python. */
async function pythonFolders(): Promise<string[]> {
  const environments = [
    environmentVariable('VIRTUAL_ENV'),
    environmentVariable('CONDA_PREFIX'),
    join(homedir(), '.local'),
    '/usr/local',
    '/usr',
  ].filter((folder) => folder !== undefined);
  const folders = (environmentVariable('PYTHONPATH') ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const environment of environments) {
    const names = await readdir(join(environment, 'lib')).catch((): string[] => []);
    // Newest first: python3.13 before python3.9.
    const versions = names.filter((name) => /^python3(\.\d+)?$/.test(name)).sort(byNumber);
    for (const version of versions.reverse())
      for (const packages of ['site-packages', 'dist-packages'])
        folders.push(join(environment, 'lib', version, packages));
  }
  const present = await Promise.all(folders.map(isFolder));
  return [...new Set(folders.filter((_, i) => present[i]))];
}

const byNumber = new Intl.Collator('en', { numeric: true }).compare;

/** Returns the version of an installed Python package. */
async function versionOf(folder: string, project: string): Promise<string | undefined> {
  const names = await readdir(folder).catch((): string[] => []);
  const prefix = `${project.replaceAll('-', '_')}-`;
  const information = names.find((name) => name.startsWith(prefix) && name.endsWith('.dist-info'));
  if (information === undefined) return undefined;
  const metadata = await readFile(join(folder, information, 'METADATA'), 'utf8').catch(() => '');
  return /^Version: (\S+)/m.exec(metadata)?.[1];
}
