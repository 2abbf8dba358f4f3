import { explainWrite } from './storage-error.js';

/** The parts of the File System standard (https://fs.spec.whatwg.org) that are used. */
interface FileHandle {
  getFile(): Promise<Blob>;
  createWritable(): Promise<{ write(data: Uint8Array | Blob): Promise<void>; close(): Promise<void> }>;
}

interface FolderHandle {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<FolderHandle>;
  getFileHandle(name: string, options: { create: boolean }): Promise<FileHandle>;
  removeEntry(name: string, options: { recursive: boolean }): Promise<void>;
  keys(): AsyncIterable<string>;
}

interface Browser {
  readonly navigator?: { readonly storage?: { getDirectory?(): Promise<FolderHandle> } };
  readonly FileSystemFileHandle?: { readonly prototype: object };
}

/**
 * A folder in the origin private file system (OPFS): files that the browser keeps for a website, on pages and in workers.
 * Names are those of single files: they have no slash.
 *
 * @example
 * ```ts no-run
 * import { BrowserFolder } from '@dalle-mini/core/browser';
 *
 * const folder = await BrowserFolder.open('notes');
 * await folder?.write('first.txt', new TextEncoder().encode('red'));
 * console.log(await (await folder?.read('first.txt'))?.text()); // red
 * ```
 */
export class BrowserFolder {
  private constructor(private readonly handle: FolderHandle) {}

  /**
   * Opens a folder, and makes it if it is missing.
   *
   * @param path The names of the folders that lead to it.
   * @returns None if this browser keeps no files for this website: in Node.js, on a page that is neither HTTPS nor
   *   localhost, in some private windows, and in browsers without `createWritable`.
   */
  static async open(...path: readonly string[]): Promise<BrowserFolder | undefined> {
    const { navigator, FileSystemFileHandle } = globalThis as Browser;
    if (!FileSystemFileHandle || !('createWritable' in FileSystemFileHandle.prototype)) return undefined;
    const root = await navigator?.storage?.getDirectory?.().catch(() => undefined);
    if (!root) return undefined;
    let folder = new BrowserFolder(root);
    for (const name of path) folder = await folder.folder(name);
    return folder;
  }

  /** Opens a folder in this one, and makes it if it is missing. */
  async folder(name: string): Promise<BrowserFolder> {
    try {
      return new BrowserFolder(await this.handle.getDirectoryHandle(name, { create: true }));
    } catch (error) {
      throw explainWrite(name, error);
    }
  }

  /** Returns a file, or none if it is missing. Its bytes are read when they are used. */
  async read(name: string): Promise<Blob | undefined> {
    try {
      return await (await this.handle.getFileHandle(name, { create: false })).getFile();
    } catch (error) {
      if ((error as Error).name === 'NotFoundError') return undefined;
      throw error;
    }
  }

  /**
   * Writes a file atomically: a reader finds the old one or the new one, whole.
   *
   * @param what Names the file in an error.
   * @throws BrowserStorageError if there is no room.
   */
  async write(name: string, data: Uint8Array | Blob, what: string = name): Promise<void> {
    try {
      const writable = await (await this.handle.getFileHandle(name, { create: true })).createWritable();
      await writable.write(data);
      await writable.close();
    } catch (error) {
      throw explainWrite(what, error);
    }
  }

  /** Returns the names of the files and folders in this folder, sorted. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of this.handle.keys()) names.push(name);
    return names.sort();
  }

  /** Removes a file, or a folder with all that is in it, unless it is missing. */
  async remove(name: string): Promise<void> {
    try {
      await this.handle.removeEntry(name, { recursive: true });
    } catch (error) {
      if ((error as Error).name !== 'NotFoundError') throw explainWrite(name, error);
    }
  }
}
