/** Downloads files, and keeps them in the browser in parts, so that an interrupted download resumes. */
import { HubError, UnavailableError } from '../hub/error.js';
import { ByteMeter, type DownloadProgress } from '../hub/progress.js';
import { type Connection, request, withRetries } from './connection.js';
import { Content } from './content.js';
import { KeptFile } from './kept-file.js';
import type { RemoteFile } from './remote-file.js';

export interface FileDownloadOptions extends Connection {
  /** Whether files are kept in the browser, and taken from there. Default true. */
  readonly keep?: boolean | undefined;
  /** Receives the number of bytes, up to ten times a second, and once at the end. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** Downloads of files that belong together. */
export class FileDownloads {
  constructor(private readonly options: FileDownloadOptions) {}

  /**
   * Returns the contents of files, from the browser or from their hosts.
   *
   * @throws HubError if a host refuses, or sends a file of another size or with another checksum; BrowserStorageError if there
   *   is no room to keep it; the signal's reason.
   */
  async read(files: readonly RemoteFile[]): Promise<Map<string, Uint8Array>> {
    const { onProgress, signal } = this.options;
    const failure = new AbortController();
    const either = AbortSignal.any([signal, failure.signal]);
    const total = files.reduce((sum, { size = 0 }) => sum + size, 0);
    const meter = new ByteMeter('download', total, onProgress, (error) => failure.abort(error));
    const contents = await Promise.all(
      files.map(async (file) => {
        try {
          return [file.name, await this.readOne(file, meter, either)] as const;
        } catch (error) {
          failure.abort(error);
          throw error;
        }
      }),
    ).catch(() => {
      throw either.reason;
    });
    await meter.finish();
    return new Map(contents);
  }

  private async readOne(file: RemoteFile, meter: ByteMeter<'download'>, signal: AbortSignal): Promise<Uint8Array> {
    const kept = await KeptFile.open(file, this.options.keep ?? true);
    const complete = await kept?.readComplete();
    if (complete) {
      meter.update(file.name, complete.byteLength);
      return complete;
    }
    for (let isFresh = false; ; isFresh = true) {
      const content = new Content(file.size);
      await kept?.resume(content);
      await withRetries((recovered) => this.receive(file, content, kept, meter, signal, recovered), signal);
      const bytes = content.finish();
      if (await hasChecksum(bytes, file.checksum)) {
        await kept?.complete(bytes.byteLength);
        return bytes;
      }
      await kept?.clear();
      if (isFresh)
        throw new HubError(`${file.name} arrived twice with another checksum than it must have. Check the address.`);
    }
  }

  private async receive(
    file: RemoteFile,
    content: Content,
    kept: KeptFile | undefined,
    meter: ByteMeter<'download'>,
    signal: AbortSignal,
    recovered: () => void,
  ): Promise<void> {
    const { name, url, size } = file;
    if (content.length === size) return;
    const headers: Record<string, string> = content.length > 0 ? { range: `bytes=${content.length}-` } : {};
    await request(url, name, { ...this.options, signal }, { headers }, async (response, alive) => {
      // A host that ignores ranges sends the whole file.
      if (response.status !== 206) content.length = 0;
      const reader = response.body!.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        alive();
        recovered();
        content.append(value);
        if (size !== undefined && content.length > size) throw otherSize(file, `at least ${content.length}`);
        await kept?.keepParts(content);
        meter.update(name, content.length, value.byteLength);
      }
    });
    if (size !== undefined && content.length < size)
      throw new UnavailableError(
        `${name} ended after ${content.length} of ${size} bytes. Check the network, and try again: the download resumes.`,
      );
    await kept?.keepParts(content, 'last');
  }
}

function otherSize({ name, size }: RemoteFile, given: string): HubError {
  return new HubError(`${name} must have ${size} bytes, not ${given}. Check the address, or try again later.`);
}

/** Checks the checksum of a file. Pages that are neither HTTPS nor localhost cannot compute it. */
async function hasChecksum(bytes: Uint8Array<ArrayBuffer>, checksum: string | undefined): Promise<boolean> {
  const subtle = globalThis.crypto?.subtle as typeof globalThis.crypto.subtle | undefined;
  if (checksum === undefined || !subtle) return true;
  const digest =
    checksum.length === 64 ? await subtle.digest('SHA-256', bytes) : await subtle.digest('SHA-1', gitBlob(bytes));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('') === checksum;
}

/** Returns what git hashes: a header, and the content. */
function gitBlob(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(`blob ${bytes.byteLength}\0`);
  const blob = new Uint8Array(header.byteLength + bytes.byteLength);
  blob.set(header);
  blob.set(bytes, header.byteLength);
  return blob;
}
