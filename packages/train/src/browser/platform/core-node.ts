/** What runs use of `@dalle-mini/core/node`, with the files of the browser. */
import { placeOf } from './place.js';

/** A file is missing, as `node:fs` reports it. */
function missing(path: string): Error {
  return Object.assign(new Error(`Cannot read ${path}: there is no such file. Check the path.`), { code: 'ENOENT' });
}

export const isMissing = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'ENOENT';

/** Errors of the browser's files name them already. */
export const withFileErrors = <Result>(_: 'read' | 'write', __: string, work: () => Promise<Result>): Promise<Result> =>
  work();

export async function readBytes(path: string): Promise<Uint8Array> {
  const { folder, name } = await placeOf(path);
  const file = await folder.read(name);
  if (!file) throw missing(path);
  return new Uint8Array(await file.arrayBuffer());
}

export async function readTextFile(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

export async function readTextIfPresent(path: string): Promise<string | undefined> {
  return readTextFile(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

export async function exists(path: string): Promise<boolean> {
  const { folder, name } = await placeOf(path);
  return (await folder.names()).includes(name);
}

export async function makeFolder(path: string): Promise<void> {
  const { folder, name } = await placeOf(path);
  await folder.folder(name);
}

export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  const { folder, name } = await placeOf(path);
  const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : [...content];
  await folder.write(name, new Blob(parts as Uint8Array<ArrayBuffer>[]));
}
