import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { type ImageFormat, imageFormats } from '@dalle-mini/pipeline';
import { FileError, writeFileAtomically } from '@dalle-mini/weights/node';
import { UsageError } from './errors.js';

/** Where pictures go: all into one file, or each into a file of a folder; and in which format. */
export interface Output {
  readonly kind: 'file' | 'folder';
  readonly path: string;
  readonly format: ImageFormat;
}

const otherPictures = ['.gif', '.avif', '.bmp', '.tif', '.tiff', '.svg'];

/**
 * Finds out what a path is meant to be, and whether it can be written, without leaving a trace.
 * @param format of the files of a folder; a file's is told by its ending. Default PNG.
 * @throws UsageError for a path that is no file of a known format and no folder; FileError if the system would refuse.
 */
export async function planOutput(path: string, format?: ImageFormat): Promise<Output> {
  if (path === '') throw new UsageError('--out must be the path of a picture, such as picture.png, or of a folder');
  const existing = await stat(path).catch(() => undefined);
  const extension = extname(path).toLowerCase();
  const formatOfFile = Object.keys(imageFormats).find((format): format is ImageFormat =>
    (imageFormats[format as ImageFormat] as readonly string[]).includes(extension),
  );
  const isFolder = existing?.isDirectory() || /[\\/]$/.test(path) || formatOfFile === undefined;
  if (!existing?.isDirectory() && otherPictures.includes(extension)) {
    throw new UsageError(
      `--out is ${path}, and pictures are written as PNG, JPEG or WebP: end it in .png, .jpg or .webp, or give a folder`,
    );
  }
  if (isFolder && existing && !existing.isDirectory()) {
    throw new UsageError(`--out is ${path}, a file: give a path that ends in .png, .jpg or .webp, or a folder`);
  }
  if (!isFolder && format !== undefined && format !== formatOfFile) {
    throw new UsageError(`--format is ${format}, and --out is ${path}: leave one of the two out`);
  }
  await tryFolder(isFolder ? path : dirname(path), path);
  return isFolder ? { kind: 'folder', path, format: format ?? 'png' } : { kind: 'file', path, format: formatOfFile! };
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
