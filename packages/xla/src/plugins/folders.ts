import { join } from 'node:path';
import { userCacheFolder } from '@dalle-mini/core/node';
import type { CatalogEntry } from './catalog.js';

/** The folder of what this package keeps: installed plugins and compiled graphs. */
export const xlaFolder = (): string => userCacheFolder('xla');

export const pluginsFolder = (): string => join(xlaFolder(), 'plugins');

/** The folder that one version of a plugin is installed in. */
export function installedFolder(folder: string, { name, version }: CatalogEntry): string {
  return join(folder, `${name}-${version}`);
}
