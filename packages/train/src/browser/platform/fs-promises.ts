/** What runs use of `node:fs/promises`, with the files of the browser. */
import { readBytes } from './core-node.js';
import { openFolder, placeOf } from './place.js';

export async function readdir(path: string): Promise<string[]> {
  return (await openFolder(path.split('/').filter((name) => name !== '' && name !== '.'))).names();
}

export async function rm(path: string): Promise<void> {
  const { folder, name } = await placeOf(path);
  await folder.remove(name);
}

export const readFile = readBytes;

/** Opens a file to append to it. Each `writeFile` is atomic, and on disk when it resolves. */
export async function open(path: string, _: 'a') {
  const { folder, name } = await placeOf(path);
  return {
    stat: async () => ({ size: (await folder.read(name))?.size ?? 0 }),
    writeFile: async (data: string | Uint8Array) => {
      const before = (await folder.read(name)) ?? new Blob([]);
      await folder.write(name, new Blob([before, data as Uint8Array<ArrayBuffer>]));
    },
    sync: async () => undefined,
    truncate: async () => undefined,
    close: async () => undefined,
  };
}
