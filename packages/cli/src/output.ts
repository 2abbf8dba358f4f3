import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { FileError, writeFileAtomically } from '@dalle-mini/weights/node';
import { UsageError } from './errors.js';

/** Where pictures go: all into one file, or each into a file of a folder. */
export type Output = { readonly kind: 'file' | 'folder'; readonly path: string };

const otherPictures = ['.jpg', '.jpeg', '.webp', '.gif', '.avif', '.bmp', '.tif', '.tiff', '.svg'];

/**
 * Finds out what a path is meant to be, and whether it can be written, without leaving a trace.
 * @throws UsageError for a path that is no PNG file and no folder; FileError if the system would refuse.
 */
export async function planOutput(path: string): Promise<Output> {
  if (path === '') throw new UsageError('--out must be the path of a .png file or of a folder');
  const existing = await stat(path).catch(() => undefined);
  const extension = extname(path).toLowerCase();
  const isFolder = existing?.isDirectory() || /[\\/]$/.test(path) || extension !== '.png';
  if (!existing?.isDirectory() && otherPictures.includes(extension)) {
    throw new UsageError(`--out is ${path}, and pictures are written as PNG: end the path in .png, or give a folder`);
  }
  if (isFolder && existing && !existing.isDirectory()) {
    throw new UsageError(`--out is ${path}, a file: give a path that ends in .png, or a folder`);
  }
  await tryFolder(isFolder ? path : dirname(path), path);
  return { kind: isFolder ? 'folder' : 'file', path };
}

/** Makes a file in a folder, or in the nearest one above it that is there, and removes it. */
async function tryFolder(folder: string, path: string): Promise<void> {
  const probe = join(folder, `.${randomUUID()}.tmp`);
  try {
    await (await open(probe, 'wx')).close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(folder) !== folder && !(await exists(folder)))
      return tryFolder(dirname(folder), path);
    throw new FileError('write', path, error as NodeJS.ErrnoException);
  }
  await rm(probe, { force: true });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT',
  );
}

/** Writes files into a folder, all of them or none; returns their paths. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<string[]> {
  const places: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    const temporary = await mkdtemp(join(folder, '.'));
    try {
      for (const [name, bytes] of files) await writeFileAtomically(join(temporary, name), bytes);
      for (const name of files.keys()) {
        const place = join(folder, name);
        await rename(join(temporary, name), place);
        places.push(place);
      }
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  } catch (error) {
    throw error instanceof FileError ? error : new FileError('write', folder, error as NodeJS.ErrnoException);
  }
  return places;
}
