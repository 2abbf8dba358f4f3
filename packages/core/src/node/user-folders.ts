import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';

/** Returns the first of some environment variables that is set and not empty. */
export function environmentVariable(...names: readonly string[]): string | undefined {
  return names.map((name) => process.env[name]).find((value) => value !== undefined && value !== '');
}

/** Replaces `~` at the beginning of a path with the user's folder. */
export function expandHome(path: string): string {
  return path.replace(/^~(?=[/\\]|$)/, homedir());
}

/**
 * Returns a folder of these packages among the user's caches, which are safe to delete: in `XDG_CACHE_HOME` if it is set,
 * or else `~/.cache` on Linux, `~/Library/Caches` on macOS, and `LOCALAPPDATA` on Windows.
 *
 * @param name The name of the folder in `dalle-mini`, such as `scans`.
 * @param platform As `process.platform` names it.
 */
export function userCacheFolder(name: string, platform: NodeJS.Platform = process.platform): string {
  const { join } = platform === 'win32' ? win32 : posix;
  const usual = {
    win32: environmentVariable('LOCALAPPDATA') ?? join(homedir(), 'AppData', 'Local'),
    darwin: join(homedir(), 'Library', 'Caches'),
    others: join(homedir(), '.cache'),
  };
  const ofSystem = platform === 'win32' || platform === 'darwin' ? usual[platform] : usual.others;
  return join(expandHome(environmentVariable('XDG_CACHE_HOME') ?? ofSystem), 'dalle-mini', name);
}
