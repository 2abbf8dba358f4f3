import { randomUUID } from 'node:crypto';
import { mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { exists, FileError, makeFolder, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';
import { type ImageFormat, imageFormats } from '@dalle-mini/pipeline';
import { UsageError } from './errors.js';

/** The destination of images: one file for all of them, or a folder with one file each. */
export interface Output {
  readonly kind: 'file' | 'folder';
  readonly path: string;
  readonly format: ImageFormat;
}

const unsupportedExtensions = ['.gif', '.avif', '.bmp', '.tif', '.tiff', '.svg'];

/**
 * Decides whether a path is a file or a folder, and checks that it can be written.
 *
 * @param format Format of the files in a folder. The extension of a file sets its format. Default PNG.
 * @throws UsageError for a path that is neither a file of a known format nor a folder; FileError if it cannot be
 *   written.
 */
export async function planOutput(path: string, format?: ImageFormat): Promise<Output> {
  if (path === '') throw new UsageError('--out must be the path of an image, such as picture.png, or of a folder.');
  const existing = await stat(path).catch(() => undefined);
  const extension = extname(path).toLowerCase();
  const formatOfFile = Object.keys(imageFormats).find((format): format is ImageFormat =>
    (imageFormats[format as ImageFormat] as readonly string[]).includes(extension),
  );
  const isFolder = existing?.isDirectory() || /[\\/]$/.test(path) || formatOfFile === undefined;
  if (!existing?.isDirectory() && unsupportedExtensions.includes(extension)) {
    throw new UsageError(`--out must end in .png, .jpg or .webp, or be a folder, not ${path}.`);
  }
  if (isFolder && existing && !existing.isDirectory()) {
    throw new UsageError(`--out must end in .png, .jpg or .webp, or be a folder, not the file ${path}.`);
  }
  if (!isFolder && format !== undefined && format !== formatOfFile) {
    throw new UsageError(`--format ${format} does not match --out ${path}. Leave one of the two out.`);
  }
  await checkWritable(isFolder ? path : dirname(path), path);
  return isFolder ? { kind: 'folder', path, format: format ?? 'png' } : { kind: 'file', path, format: formatOfFile };
}

/** Checks that a folder, or its nearest existing parent, is writable: creates a file in it and removes it. */
async function checkWritable(folder: string, path: string): Promise<void> {
  const probe = join(folder, `.${randomUUID()}.tmp`);
  try {
    await (await open(probe, 'wx')).close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(folder) !== folder && !(await exists(folder)))
      return checkWritable(dirname(folder), path);
    throw new FileError('write', path, error as NodeJS.ErrnoException);
  }
  await rm(probe, { force: true });
}

/** Writes files into a folder. If one fails, none is written. Returns their paths. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<string[]> {
  await makeFolder(folder);
  return withFileErrors('write', folder, async () => {
    const paths: string[] = [];
    const temporary = await mkdtemp(join(folder, '.'));
    try {
      for (const [name, bytes] of files) await writeFileAtomically(join(temporary, name), bytes);
      for (const name of files.keys()) {
        const path = join(folder, name);
        await rename(join(temporary, name), path);
        paths.push(path);
      }
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return paths;
  });
}
