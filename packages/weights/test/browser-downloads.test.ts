import { BrowserFolder, BrowserStorageError } from '@dalle-mini/core/browser';
import { cut, FakeHub, status } from '@dalle-mini/testing/fake-hub';
import { FileDownloads, findRemoteFile, HubError, listHubModel, removeDownloads } from '@dalle-mini/weights/browser';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

/** The files of a browser in memory, with the methods of OPFS that are used. `room` is the number of bytes that fit. */
function stubFiles({ room = Number.POSITIVE_INFINITY } = {}): void {
  const named = (name: string) => Object.assign(new Error(name), { name });
  const folder = () => {
    const folders = new Map<string, object>();
    const files = new Map<string, Blob>();
    const handle = (name: string) => ({
      getFile: async () => files.get(name)!,
      createWritable: async () => {
        let written = new Blob([]);
        return {
          write: async (data: Uint8Array<ArrayBuffer>) => {
            room -= data.byteLength;
            if (room < 0) throw named('QuotaExceededError');
            written = new Blob([data]);
          },
          close: async () => {
            files.set(name, written);
          },
        };
      },
    });
    return {
      getDirectoryHandle: async (name: string) => {
        if (!folders.has(name)) folders.set(name, folder());
        return folders.get(name);
      },
      getFileHandle: async (name: string, { create }: { create: boolean }) => {
        if (!create && !files.has(name)) throw named('NotFoundError');
        return handle(name);
      },
      removeEntry: async (name: string) => {
        if (!files.delete(name) && !folders.delete(name)) throw named('NotFoundError');
      },
      async *keys() {
        yield* [...folders.keys(), ...files.keys()];
      },
    };
  };
  const root = folder();
  vi.stubGlobal('FileSystemFileHandle', { prototype: { createWritable: null } });
  vi.stubGlobal('navigator', { storage: { getDirectory: async () => root } });
}

describe('downloads of a browser', () => {
  let hub: FakeHub;
  beforeEach(async () => {
    hub = new FakeHub();
    hub.add('config.json', Buffer.from('{}'));
    hub.add('model.safetensors', Buffer.alloc(100_000, 'weights'), true);
    await hub.start();
  });
  afterEach(async () => {
    vi.unstubAllGlobals();
    await hub.stop();
  });

  const { signal } = new AbortController();
  const list = (given = {}) =>
    listHubModel('org/name', { endpoint: hub.url, revision: 'main', keep: true, offline: false, signal, ...given });
  const read = async (given = {}) => {
    const { files } = await list();
    return new FileDownloads({ signal, ...given }).read(files);
  };

  test('list the files of a model with their checksums', async () => {
    const { commit, files } = await list();
    expect(commit).toBe(hub.commit);
    expect(files.map(({ name, size, checksum }) => [name, size, checksum?.length])).toEqual([
      ['config.json', 2, 40],
      ['model.safetensors', 100_000, 64],
    ]);
  });

  test('return the contents, and report the bytes', async () => {
    const reports: number[] = [];
    const files = await read({ onProgress: ({ done }: { done: number }) => reports.push(done) });
    expect(Buffer.from(files.get('model.safetensors')!)).toEqual(hub.files.get('model.safetensors')!.content);
    expect(reports.at(-1)).toBe(100_002);
  });

  test('resume a connection that breaks', async () => {
    hub.contents.push(cut(50_000), cut(50_000));
    const files = await read();
    expect(Buffer.from(files.get('model.safetensors')!)).toEqual(hub.files.get('model.safetensors')!.content);
    expect(hub.ranges.filter((range) => range !== undefined)).toEqual(['bytes=50000-']);
  });

  test('refuse a file with another checksum, and a host that refuses', async () => {
    hub.files.get('config.json')!.content = Buffer.from('[]');
    await expect(read()).rejects.toThrow(
      'config.json arrived twice with another checksum than it must have. Check the address.',
    );
    hub.api.push(status(404));
    const error = await list().catch((error: unknown) => error);
    expect(HubError.isInstance(error)).toBe(true);
    expect((error as Error).message).toBe(
      'org/name at main: the host answered with status 404 Not Found. Check the address.',
    );
  });

  test('find a file of a website, with its size, or none', async () => {
    const find = (name: string) =>
      findRemoteFile(name, `${hub.storeUrl}/store/${name}`, { signal, offline: false, needed: true });
    expect(await find('model.safetensors')).toMatchObject({ name: 'model.safetensors', size: 100_000 });
    expect(await find('missing.json')).toBe(undefined);
  });

  test('keep what they have loaded, until it is removed', async () => {
    stubFiles();
    const first = await read();
    const requests = hub.ranges.length;
    const second = await read();
    expect(second).toEqual(first);
    expect(hub.ranges.length).toBe(requests);
    expect(await (await BrowserFolder.open('dalle-mini', 'downloads'))!.names()).toHaveLength(2);
    await removeDownloads();
    await read();
    expect(hub.ranges.length).toBe(2 * requests);
  });

  test('say that the browser has no room', async () => {
    stubFiles({ room: 50_000 });
    const error = await read().catch((error: unknown) => error);
    expect(BrowserStorageError.isInstance(error)).toBe(true);
    expect((error as Error).message).toBe(
      'The browser has no room to keep model.safetensors for this website. Free disk space, or remove what the website keeps.',
    );
  });
});
