import { BrowserFolder, BrowserStorageError } from '@dalle-mini/core/browser';

/** Returns the folder of a path, which is made if it is missing, and the name of the file in it. */
export async function placeOf(path: string): Promise<{ readonly folder: BrowserFolder; readonly name: string }> {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const name = names.pop() ?? '';
  return { folder: await openFolder(names), name };
}

/** Opens the folder of a path, which is made if it is missing. */
export async function openFolder(names: readonly string[]): Promise<BrowserFolder> {
  const folder = await BrowserFolder.open(...names);
  if (folder) return folder;
  throw new BrowserStorageError(
    'This browser keeps no files for this website, so that a run cannot be saved. Serve the page by HTTPS or from localhost, and not in a private window.',
  );
}
