import { homedir } from 'node:os';
import { join } from 'node:path';
import type { CatalogEntry } from './catalog.js';

/** Returns an environment variable, or undefined if it is not set or empty. */
export function variable(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** Replaces `~` at the beginning of a path with the user's folder. */
export const expanded = (path: string): string => path.replace(/^~(?=[/\\]|$)/, homedir());

/** The folder of what this package keeps: installed plugins and compiled graphs. */
export function xlaFolder(): string {
  return join(expanded(variable('XDG_CACHE_HOME') ?? '~/.cache'), 'dalle-mini', 'xla');
}

export const pluginsFolder = (): string => join(xlaFolder(), 'plugins');

/** The folder that one version of a plugin is installed in. */
export function installedFolder(folder: string, { name, version }: CatalogEntry): string {
  return join(folder, `${name}-${version}`);
}
