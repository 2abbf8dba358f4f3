/** Files that downloads keep in the browser. */
import { BrowserFolder } from '@dalle-mini/core/browser';
import { Content } from './content.js';
import type { RemoteFile } from './remote-file.js';

/** Bytes of a part. What an interrupted download loses is less than this. */
const partSize = 2 ** 23;

const root = ['dalle-mini', 'downloads'] as const;

/** The record of a file that is complete, or of the version that its parts belong to. */
const stateFile = 'state.json';

interface State {
  readonly version: string;
  /** The size of a complete file. */
  readonly size?: number | undefined;
}

/** Removes all files that downloads have kept in this browser. */
export async function removeDownloads(): Promise<void> {
  const folder = await BrowserFolder.open(root[0]);
  await folder?.remove(root[1]);
}

/** Whether the browser has a whole file of this address. */
export async function isDownloaded(url: string): Promise<boolean> {
  const downloads = await BrowserFolder.open(...root);
  const state = await (await downloads?.folder(encodeURIComponent(url)))?.read(stateFile);
  return state !== undefined && (JSON.parse(await state.text()) as State).size !== undefined;
}

/** A file in the browser: its parts, `0`, `1` and so on, and its state. */
export class KeptFile {
  private parts = 0;

  private constructor(
    private readonly folder: BrowserFolder,
    private readonly file: RemoteFile,
    private state: State | undefined,
  ) {}

  static async open(file: RemoteFile, keep: boolean): Promise<KeptFile | undefined> {
    // A file whose changes would not be noticed is not kept.
    const isKept = keep && (file.checksum !== undefined || (/^https?:/.test(file.url) && file.version !== ''));
    const downloads = isKept ? await BrowserFolder.open(...root) : undefined;
    if (!downloads) return undefined;
    const folder = await downloads.folder(file.checksum ?? encodeURIComponent(file.url));
    const state = await folder.read(stateFile);
    return new KeptFile(folder, file, state && (JSON.parse(await state.text()) as State));
  }

  /** Returns the file if it is complete and has not changed since. Without a network it counts as unchanged. */
  async readComplete(): Promise<Uint8Array | undefined> {
    const { state, file } = this;
    const { version = state?.version } = file;
    if (state?.size === undefined || state.version !== version) return undefined;
    const content = new Content(state.size);
    await this.readParts(content);
    return content.length === state.size ? content.finish() : undefined;
  }

  /** Reads the parts of an earlier download. */
  async resume(content: Content): Promise<void> {
    const { size, version = this.state?.version ?? '' } = this.file;
    const isPartial = this.state?.version === version && this.state.size === undefined;
    if (isPartial && size !== undefined) await this.readParts(content);
    if (content.length > 0) return;
    await this.clear();
    this.state = { version };
    await this.writeState();
  }

  private async readParts(content: Content): Promise<void> {
    for (this.parts = 0; ; this.parts++) {
      const part = await this.folder.read(String(this.parts));
      if (!part) return;
      content.append(new Uint8Array(await part.arrayBuffer()));
    }
  }

  /** Writes the parts that are full, and at the end the last one. */
  async keepParts(content: Content, isLast?: 'last'): Promise<void> {
    this.parts = Math.min(this.parts, Math.floor(content.length / partSize));
    for (let start = this.parts * partSize; start < content.length; start = this.parts * partSize) {
      if (!isLast && content.length < start + partSize) return;
      const end = Math.min(start + partSize, content.length);
      await this.folder.write(String(this.parts), content.part(start, end), this.file.name);
      this.parts++;
    }
  }

  async complete(size: number): Promise<void> {
    this.state = { version: this.state?.version ?? '', size };
    await this.writeState();
  }

  async clear(): Promise<void> {
    for (const name of await this.folder.names()) await this.folder.remove(name);
    this.parts = 0;
  }

  private writeState(): Promise<void> {
    return this.folder.write(stateFile, new TextEncoder().encode(JSON.stringify(this.state)));
  }
}
