import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { exists, FileError, readBytes, withFileErrors } from '@dalle-mini/core/node';
import { isIgnored, isRunImage, isTrainingRun } from './ignored-names.js';
import type { Omission, SourceFile } from './listing.js';

/** The plain files below a folder. */
export interface FoundFiles {
  /** By path below the folder in NFC, with forward slashes; sorted. */
  readonly files: ReadonlyMap<string, SourceFile>;
  /** Broken links, pipes, folders that were reached twice. */
  readonly omissions: readonly Omission[];
  /** Paths of the folders that were left out because a training run wrote them, or by `exclude`. */
  readonly excluded: readonly string[];
}

/** Files whose state is asked for at a time. */
const atOnce = 64;

/**
 * Finds all plain files below a folder and follows links. No folder is read twice, so that links in a circle end. Hidden
 * files, leftovers of operating systems and the folders of training runs are left out. Pipes, sockets and devices are never
 * opened.
 *
 * @param exclude Paths of folders or files to leave out.
 * @throws FileError if the folder is missing, a file, or cannot be read.
 */
export async function walkFolder(
  root: string,
  { exclude = [], signal }: { exclude?: readonly string[] | undefined; signal?: AbortSignal | undefined } = {},
): Promise<FoundFiles> {
  const found: [string, SourceFile][] = [];
  const omissions: Omission[] = [];
  const excluded: string[] = [];
  const excludedPaths = new Set(exclude.map((path) => resolve(path)));
  const readFolders = new Set<string>();
  const state = await stateOf(root);
  if (!state.isDirectory())
    throw new FileError(
      'read',
      root,
      'it is a file, not a folder. Pass the folder that it is in, or open an archive as a WebDataset.',
    );
  // Folders first, then links to folders: what is reached both ways has the name without a link.
  const folders = [{ path: root, name: '', state }];
  const linkedFolders: typeof folders = [];

  const visit = async (folder: (typeof folders)[number]) => {
    signal?.throwIfAborted();
    const id = `${folder.state.dev}:${folder.state.ino}`;
    if (readFolders.has(id)) {
      const message = `${folder.path} is a link to a folder that is read already. Remove the link.`;
      omissions.push({ key: folder.name, reason: 'duplicate', message });
      return;
    }
    readFolders.add(id);
    const entries = await withFileErrors('read', folder.path, () => readdir(folder.path, { withFileTypes: true }));
    const isRun = isTrainingRun(entries.map(({ name }) => name));
    if (isRun && folder.path !== root) {
      excluded.push(folder.path);
      return;
    }
    const visible = entries.filter(({ name }) => !isIgnored(name) && !(isRun && isRunImage(name)));
    for (let start = 0; start < visible.length; start += atOnce) {
      await Promise.all(
        visible.slice(start, start + atOnce).map(async (entry) => {
          const path = join(folder.path, entry.name);
          const name = `${folder.name}${entry.name}`.normalize('NFC');
          if (excludedPaths.has(resolve(path))) return void excluded.push(path);
          const omit = (reason: Omission['reason'], message: string) => omissions.push({ key: name, reason, message });
          const state = await stateOf(path).catch((error: unknown) => {
            if (!entry.isSymbolicLink()) throw error;
            omit(
              'broken-link',
              `${path} is a link to a file that does not exist. Restore the file or remove the link.`,
            );
          });
          if (state === undefined) return;
          if (state.isDirectory())
            (entry.isSymbolicLink() ? linkedFolders : folders).push({ path, name: `${name}/`, state });
          else if (state.isFile() && (await isLinkAsText(path, Number(state.size))))
            omit(
              'broken-link',
              `${path} is a link that was copied as text. Copy or clone the folder again, with its links.`,
            );
          else if (state.isFile())
            found.push([name, { name: path, path, size: Number(state.size), modified: Number(state.mtimeMs) }]);
          else omit('not-a-file', `${path} is a pipe, a socket or a device, not a file. Remove it.`);
        }),
      );
    }
  };
  for (;;) {
    const next = folders.pop() ?? takeFirst(linkedFolders);
    if (next === undefined) break;
    await visit(next);
  }
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const files = new Map<string, SourceFile>();
  for (const [name, file] of found) {
    const other = files.get(name);
    if (other === undefined) files.set(name, file);
    else
      omissions.push({
        key: name,
        reason: 'duplicate',
        message: `${file.path} and another file have the same name in Unicode's composed and decomposed form. Rename one.`,
      });
  }
  return {
    files,
    omissions: omissions.sort((a, b) => byName({ name: a.key }, { name: b.key })),
    excluded: excluded.sort(),
  };
}

/** Longest content in bytes that may be the target of a link. */
const longestTarget = 255;

/** Checks whether a file has the path of another file as its content: what Git writes where it cannot make links. */
async function isLinkAsText(path: string, size: number): Promise<boolean> {
  if (basename(path).includes('.') || size === 0 || size > longestTarget) return false;
  const target = new TextDecoder().decode(await readBytes(path));
  return !/[\0\n]/.test(target) && target !== '.' && (await exists(resolve(dirname(path), target)));
}

/** Device and file numbers of 64 bits are exact only as `bigint`. */
function stateOf(path: string): Promise<BigIntStats> {
  return withFileErrors('read', path, () => stat(path, { bigint: true }));
}

function takeFirst<T extends { name: string }>(items: T[]): T | undefined {
  items.sort((a, b) => (a.name < b.name ? 1 : -1));
  return items.pop();
}
