import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { type Answer, cut, cutAnew, FakeHub, send, stall, status, truncated } from '@dalle-mini/testing/fake-hub';
import { randomBytes } from '@dalle-mini/testing/random';
import {
  type DownloadedModel,
  type DownloadOptions,
  type DownloadProgress,
  downloadModel,
  HubError,
} from '@dalle-mini/weights/hub';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

/** The system's calls that fail, with their codes. */
const faults = vi.hoisted((): { append?: string; symlink?: string; link?: string } => ({}));

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  const { fail } = await import('@dalle-mini/testing/system-error');
  return {
    ...actual,
    async open(...args: Parameters<typeof actual.open>) {
      const file = await actual.open(...args);
      const { append } = faults;
      // The device fills up after some bytes, as a real one does.
      if (append !== undefined && args[1] === 'a') {
        file.appendFile = async (bytes) => {
          await file.write((bytes as Uint8Array).subarray(0, 10));
          fail(append, 'write');
        };
      }
      return file;
    },
    async symlink(...args: Parameters<typeof actual.symlink>) {
      if (faults.symlink !== undefined) fail(faults.symlink, 'symlink');
      await actual.symlink(...args);
    },
    async link(...args: Parameters<typeof actual.link>) {
      if (faults.link !== undefined) fail(faults.link, 'link');
      await actual.link(...args);
    },
  };
});

/** The milliseconds of the waits before retries, which take no time here. */
const waits = vi.hoisted((): number[] => []);
/** What happens during a wait. */
const during = vi.hoisted((): { wait?: () => void } => ({}));

vi.mock('node:timers/promises', async (original) => {
  const actual = await original<typeof import('node:timers/promises')>();
  return {
    ...actual,
    async setTimeout(...[delay, value, options]: Parameters<typeof actual.setTimeout>) {
      waits.push(delay!);
      during.wait?.();
      return actual.setTimeout(0, value, options);
    },
  };
});

let hub: FakeHub;
let home: string;
let cache: string;
const weights = randomBytes(300_000);
const config = Buffer.from('{"vocab_size": 50264}\n');

/** Within the cache's folder of the model. */
const at = (...path: string[]) => join(cache, 'models--org--name', ...path);
const snapshot = (name: string) => at('snapshots', hub.commit, name);

/** All that the cache holds, but folders; the writers of partials are left out. */
async function held(): Promise<string[]> {
  const paths = await readdir(cache, { recursive: true, withFileTypes: true }).catch(() => []);
  return paths
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(cache.length + 1))
    .map((path) => path.replace(/\.[0-9a-f]{8}-\d+-\d+\.incomplete$/, '.incomplete'))
    .sort();
}

const partials = async () => (await readdir(at('blobs'))).filter((name) => name.endsWith('.incomplete'));

async function expectWhole(name: string): Promise<void> {
  const content = await readFile(snapshot(name));
  // Not with toEqual, which takes a second for these sizes.
  expect(content.equals(hub.files.get(name)!.content)).toBe(true);
}

const download = (options: Partial<DownloadOptions> = {}): Promise<DownloadedModel> =>
  downloadModel('org/name', { files: ['model.safetensors'], ...options });

/** The error that a download ends with, of one line. */
async function refusal(options: Partial<DownloadOptions> = {}): Promise<string> {
  const error = await download(options).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(HubError);
  const { message } = error as HubError;
  expect(message).not.toMatch(/[\n\r]/);
  return message;
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hub-'));
  cache = join(home, 'hub');
  hub = new FakeHub();
  await hub.start();
  hub.add('config.json', config);
  hub.add('model.safetensors', weights, true);
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME', 'HF_TOKEN', 'HF_TOKEN_PATH']) {
    vi.stubEnv(name, undefined);
  }
  for (const name of ['HUGGING_FACE_HUB_TOKEN', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_HUB_DOWNLOAD_TIMEOUT']) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_ENDPOINT', hub.url);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const call of ['append', 'symlink', 'link'] as const) delete faults[call];
  waits.length = 0;
  delete during.wait;
  await hub.stop();
  await rm(home, { recursive: true });
});

describe('what a download leaves', () => {
  test('is the layout of huggingface_hub in Python', async () => {
    hub.add('vae/config.json', Buffer.from('{}'));
    const files = ['config.json', 'model.safetensors', 'vae/config.json'];
    const model = await download({ files });
    expect(model).toEqual({
      folder: at('snapshots', hub.commit),
      revision: hub.commit,
      files: new Map(files.map((name) => [name, snapshot(name)])),
      source: 'hub',
    });
    expect(await held()).toEqual(
      [
        ...files.map((name) => `models--org--name/blobs/${hub.files.get(name)!.oid}`),
        'models--org--name/refs/main',
        ...files.map((name) => `models--org--name/snapshots/${hub.commit}/${name}`),
      ].sort(),
    );
    expect(await readFile(at('refs', 'main'), 'utf8')).toBe(hub.commit);
    const blob = hub.files.get('vae/config.json')!.oid;
    expect(await readlink(snapshot('vae/config.json'))).toBe(join('..', '..', '..', 'blobs', blob));
    await expectWhole('config.json');
    await expectWhole('model.safetensors');
  });

  test('is not downloaded again', async () => {
    await download();
    const { length } = hub.ranges;
    expect((await download()).source).toBe('hub');
    expect(hub.ranges).toHaveLength(length);
  });

  test('is downloaded again where a file is damaged', async () => {
    await download();
    await rm(snapshot('model.safetensors'));
    await writeFile(snapshot('model.safetensors'), 'short');
    await writeFile(at('blobs', hub.files.get('model.safetensors')!.oid), 'short');
    await download();
    await expectWhole('model.safetensors');
  });

  test('has each content once', async () => {
    hub.add('copy.safetensors', weights, true);
    await download({ files: ['model.safetensors', 'copy.safetensors'] });
    expect(hub.ranges).toHaveLength(1);
    await expectWhole('copy.safetensors');
  });

  test('keeps empty files', async () => {
    hub.add('empty.txt', Buffer.of());
    await download({ files: ['empty.txt'] });
    expect(await readFile(snapshot('empty.txt'), 'utf8')).toBe('');
  });

  test.each([
    ['hard links where symbolic ones are not allowed', { symlink: 'EPERM' }, 2],
    ['copies where there are no links', { symlink: 'ENOTSUP', link: 'ENOTSUP' }, 1],
  ])('has %s', async (_, fault, links) => {
    Object.assign(faults, fault);
    await download();
    const file = await lstat(snapshot('model.safetensors'));
    expect(file.isFile()).toBe(true);
    expect(file.nlink).toBe(links);
    await expectWhole('model.safetensors');
    expect((await download({ offline: true })).files.size).toBe(1);
    expect((await held()).filter((path) => path.endsWith('.tmp'))).toEqual([]);
  });

  test.each([
    ['HF_HUB_CACHE', { HF_HUB_CACHE: 'a', HUGGINGFACE_HUB_CACHE: 'b', HF_HOME: 'c' }, 'a'],
    ['HUGGINGFACE_HUB_CACHE', { HUGGINGFACE_HUB_CACHE: 'b', HF_HOME: 'c' }, 'b'],
    ['HF_HOME', { HF_HOME: 'c', XDG_CACHE_HOME: 'd' }, 'c/hub'],
    ['XDG_CACHE_HOME', { HF_HOME: '', XDG_CACHE_HOME: 'd' }, 'd/huggingface/hub'],
    ["the user's folder", { HF_HOME: '', HOME: '.', USERPROFILE: '.' }, '.cache/huggingface/hub'],
  ])('lies where %s says', async (_, variables, folder) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value && join(home, value));
    cache = join(home, folder);
    expect((await download()).folder).toBe(at('snapshots', hub.commit));
  });

  test('lies where the option says', async () => {
    cache = join(home, 'elsewhere');
    expect((await download({ cacheDir: cache })).folder).toBe(at('snapshots', hub.commit));
  });
});

describe('the files', () => {
  test('are chosen from the whole listing, which has pages', async () => {
    hub.pageSize = 2;
    for (let index = 0; index < 5; index++) hub.add(`part-${index}.bin`, Buffer.from(`${index}`));
    const model = await download({
      files: (listing) => {
        expect(listing).toHaveLength(7);
        expect(listing[0]).toEqual({ name: 'config.json', size: config.byteLength });
        return listing.map(({ name }) => name).filter((name) => name.endsWith('.bin'));
      },
    });
    expect([...model.files.keys()]).toEqual([0, 1, 2, 3, 4].map((index) => `part-${index}.bin`));
  });

  test('must be in the repository', async () => {
    expect(await refusal({ files: ['config.json', 'vocab.json'] })).toMatch(
      /^org\/name at main has no file "vocab.json".* "config.json", "model.safetensors"\.$/,
    );
    expect(await held()).toEqual([]);
  });

  test('are listed in a short message, however many and long', async () => {
    for (let index = 0; index < 1000; index++) hub.add(`${index}${'n'.repeat(10_000)}`, Buffer.from('x'));
    const message = await refusal({ files: ['vocab.json'] });
    expect(message).toMatch(
      /^org\/name at main has no file "vocab.json"\. Choose from its 1002 files: .* and 982 others/,
    );
    expect(message.length).toBeLessThan(3000);
  });

  test('come several at once, as many as asked for', async () => {
    const names = [0, 1, 2, 3, 4, 5].map((index) => `${index}.bin`);
    for (const name of names) {
      hub.add(name, Buffer.from(name));
      hub.contents.push((response, content) => setTimeout(() => response.end(content), 30));
    }
    await download({ files: names, parallel: 2 });
    expect(hub.most).toBe(2);
  });

  test('stop when one of them fails', async () => {
    const answer: Answer = (...args) => (args[1] === weights ? stall(1000) : status(410))(...args);
    hub.contents.push(answer, answer);
    expect(await refusal({ files: ['model.safetensors', 'config.json'] })).toMatch(/config.json: .* status 410/);
    expect(await partials()).toHaveLength(2);
  });
});

describe('a download that is interrupted', () => {
  const rest = `bytes=${100_000}-`;

  test('goes on where the connection broke', async () => {
    hub.contents.push(cut(100_000), status(503), truncated(50_000));
    await download();
    expect(hub.ranges).toEqual([undefined, rest, rest, 'bytes=150000-']);
    expect(waits).toEqual([500, 1000, 2000]);
    await expectWhole('model.safetensors');
  });

  test('gives up after five retries, and goes on in the next call', async () => {
    for (let attempt = 0; attempt < 6; attempt++) hub.contents.push(truncated(10_000));
    expect(await refusal()).toMatch(/model.safetensors ended after 60000 of 300000 bytes/);
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000]);
    await download();
    expect(hub.ranges.at(-1)).toBe('bytes=60000-');
    expect(await held()).toHaveLength(3);
  });

  test('does not give up while each connection brings a megabyte', async () => {
    hub.add('large.bin', randomBytes(10_000_000), true);
    for (let attempt = 0; attempt < 7; attempt++) hub.contents.push(truncated(1_300_000));
    await download({ files: ['large.bin'] });
    expect(waits).toEqual([500, 500, 500, 500, 500, 500, 500]);
    await expectWhole('large.bin');
  });

  /** Answers requests without a range, and breaks these connections; those with one get `answer`. */
  const orCutAnew =
    (answer: Answer): Answer =>
    (...args) =>
      (args[2].headers.range === undefined ? cutAnew(1_500_000) : answer)(...args);

  test.each([
    ['sends the file from its beginning', cutAnew(1_500_000)],
    ['sends another range', orCutAnew(send('', { code: 206, headers: { 'content-range': 'bytes 7-9/10000000' } }))],
    ['refuses the range', orCutAnew(status(416))],
  ])('gives up when the host %s each time', async (_, answer) => {
    hub.add('large.bin', randomBytes(10_000_000), true);
    for (let attempt = 0; attempt < 50; attempt++) hub.contents.push(answer);
    expect(await refusal({ files: ['large.bin'] })).toMatch(/cannot be resumed|connection to .* failed/);
    expect(hub.ranges).toHaveLength(6);
  });

  test('does not give up when a host that ignores ranges gets twice as far each time', async () => {
    hub.add('large.bin', randomBytes(10_000_000), true);
    for (const bytes of [1.2e6, 1e6, 2.5e6, 1e6, 5.2e6, 1e6, 1e6]) hub.contents.push(cutAnew(bytes));
    await download({ files: ['large.bin'] });
    expect(waits).toEqual([500, 1000, 500, 1000, 500, 1000, 2000]);
    await expectWhole('large.bin');
  });

  test('gives up when a host that ignores ranges gets little farther each time', async () => {
    hub.add('large.bin', randomBytes(20_000_000), true);
    for (let attempt = 1; attempt < 10; attempt++) hub.contents.push(cutAnew(2_000_000 * attempt));
    await refusal({ files: ['large.bin'] });
    expect(hub.ranges.length).toBeLessThan(10);
  });

  test('leaves it to the checksum whether a file with another ETag is another one', async () => {
    const tagged = (content: Buffer, etag: string, start: number): Answer => {
      const range = { 'content-range': `bytes ${start}-299999/300000` };
      return send(content.subarray(start, start + 100_000), { code: 206, headers: { etag, ...range } });
    };
    hub.contents.push(tagged(weights, 'a', 0), tagged(weights, 'b', 100_000), tagged(weights, 'c', 200_000));
    await download();
    expect(hub.ranges).toHaveLength(3);
    await rm(cache, { recursive: true });
    hub.contents.push(tagged(weights, 'a', 0), tagged(randomBytes(300_000, 'other'), 'b', 100_000));
    await download();
    expect(hub.ranges.slice(3)).toEqual([undefined, rest, 'bytes=200000-', undefined]);
    await expectWhole('model.safetensors');
  });

  test('drops a connection that stalls', async () => {
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.2');
    hub.contents.push(stall(100_000), () => undefined);
    await download();
    expect(hub.ranges).toEqual([undefined, rest, rest]);
    for (let attempt = 0; attempt < 6; attempt++) hub.api.push(() => undefined);
    await rm(cache, { recursive: true });
    expect(await refusal()).toMatch(/sent nothing for 0.2 s.*HF_HUB_DOWNLOAD_TIMEOUT/);
  });

  test('leaves a partial when it is aborted, and nothing else', async () => {
    hub.contents.push((response, content) => {
      response.writeHead(200, { 'content-length': content.byteLength });
      response.write(content.subarray(0, 50_000));
      // Reports come at most ten times a second.
      setTimeout(() => response.write(content.subarray(50_000, 100_000)), 300);
    });
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const onProgress = ({ done }: DownloadProgress) => {
      if (done > 50_000) controller.abort(reason);
    };
    await expect(download({ signal: controller.signal, onProgress })).rejects.toBe(reason);
    const { oid } = hub.files.get('model.safetensors')!;
    expect(await held()).toEqual([`models--org--name/blobs/${oid}.incomplete`]);
    const { size } = await stat(at('blobs', (await partials())[0]!));
    expect(size).toBeGreaterThan(50_000);
    await download();
    expect(hub.ranges).toEqual([undefined, `bytes=${size}-`]);
    expect(await partials()).toEqual([]);
  });

  test('ends at once when it is aborted before, or while it waits', async () => {
    await expect(download({ signal: AbortSignal.abort('before') })).rejects.toBe('before');
    expect(hub.received).toEqual([]);
    const controller = new AbortController();
    hub.api.push(status(500));
    during.wait = () => controller.abort('waiting');
    await expect(download({ signal: controller.signal })).rejects.toBe('waiting');
  });

  test('leaves the partials of others alone, unless they are old', async () => {
    const { oid } = hub.files.get('model.safetensors')!;
    const other = at('blobs', `${oid}.01234567-1-1.incomplete`);
    await mkdir(at('blobs'), { recursive: true });
    await writeFile(other, weights.subarray(0, 100_000));
    await download();
    expect(hub.ranges).toEqual([undefined]);
    expect(await partials()).toHaveLength(1);
    await rm(at('blobs', oid));
    const old = new Date(Date.now() - 600_000);
    await utimes(other, old, old);
    await download();
    expect(hub.ranges).toEqual([undefined, rest]);
    expect(await partials()).toEqual([]);
  });

  test.each([
    ['ignores ranges', send(weights), [undefined, rest]],
    ['has no such range', status(416), [undefined, rest, undefined]],
    [
      'sends another range',
      send(weights.subarray(5), { code: 206, headers: { 'content-range': 'bytes 5-299999/300000' } }),
      [undefined, rest, undefined],
    ],
    ['sends a range of an unknown place', send(weights, { code: 206 }), [undefined, rest, undefined]],
  ])('begins anew where the host %s', async (_, answer, ranges) => {
    hub.contents.push(cut(100_000), answer);
    await download();
    expect(hub.ranges).toEqual(ranges);
    await expectWhole('model.safetensors');
  });

  test('says that the disk is full, and keeps what it has', async () => {
    faults.append = 'ENOSPC';
    const error = await download().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(FileError);
    expect((error as FileError).message).toMatch(/models--org--name: the disk is full. Free some space/);
    delete faults.append;
    await download();
    expect(hub.ranges).toEqual([undefined, 'bytes=10-']);
  });
});

describe('two downloads at once', () => {
  const slowly = () => {
    for (let index = 0; index < 2; index++) {
      hub.contents.push((response, content) => {
        response.write(content.subarray(0, 100_000));
        setTimeout(() => response.end(content.subarray(100_000)), 500);
      });
    }
  };

  test('do not meet in one process', async () => {
    slowly();
    await Promise.all([download(), download()]);
    await expectWhole('model.safetensors');
    expect(await held()).toHaveLength(3);
  });
});

describe('checksums and sizes', () => {
  const wrong = randomBytes(weights.byteLength, 'wrong');

  test('that are wrong make a download begin anew, once', async () => {
    hub.contents.push(send(wrong));
    await download();
    expect(hub.ranges).toEqual([undefined, undefined]);
    await expectWhole('model.safetensors');
  });

  test.each(['model.safetensors', 'config.json'])('that are wrong twice refuse %s', async (name) => {
    hub.files.get(name)!.content = wrong.subarray(0, hub.files.get(name)!.size);
    expect(await refusal({ files: [name] })).toMatch(/arrived twice with a checksum that the hub did not list/);
    expect(hub.ranges).toHaveLength(2);
    expect(await held()).toEqual([]);
  });

  test('find a partial that is damaged', async () => {
    hub.contents.push(send(wrong.subarray(0, 100_000)));
    for (let attempt = 0; attempt < 5; attempt++) hub.contents.push(status(500));
    await refusal();
    await download();
    expect(hub.ranges.slice(-2)).toEqual(['bytes=100000-', undefined]);
  });

  test('are compared before anything is written', async () => {
    const headers = { 'content-length': '300001' };
    hub.contents.push(send(Buffer.concat([weights, Buffer.of(0)]), { headers }));
    expect(await refusal()).toMatch(/must have 300000 bytes, as the hub listed, not 300001/);
    hub.contents.push(
      cut(100_000),
      send('', { code: 206, headers: { 'content-range': 'bytes 100000-299999/300001' } }),
    );
    expect(await refusal()).toMatch(/not 300001/);
  });

  test('are shown as numbers, however many digits a header has', async () => {
    const range = `bytes 0-299999/${'3'.repeat(10_000)}`;
    hub.contents.push(send('', { code: 206, headers: { 'content-range': range } }));
    expect(await refusal()).toMatch(/^model.safetensors must have 300000 bytes, as the hub listed, not Infinity/);
  });

  test('stop a body that has no end', async () => {
    hub.contents.push(send(Buffer.concat([weights, weights])));
    expect(await refusal()).toMatch(/must have 300000 bytes, as the hub listed, not at least \d+/);
    expect((await stat(at('blobs', (await partials())[0]!))).size).toBeLessThanOrEqual(300_000);
  });
});

describe('a hub that refuses', () => {
  test.each([
    [401, {}, undefined, /access is denied \(401\)\. Check the name; .*licence.* set HF_TOKEN/],
    [403, { 'x-error-code': 'GatedRepo' }, 'hf_x', /denied to this token \(403\)\. Check HF_TOKEN; .*licence/],
    [404, { 'x-error-code': 'RepoNotFound' }, undefined, /not found \(404\)\. Check the name; .*private, set HF_TOKEN/],
    [404, { 'x-error-code': 'RevisionNotFound' }, undefined, /no such revision/],
    [418, {}, undefined, /status 418\. Check HF_ENDPOINT/],
  ])('with %i and %o is not asked again', async (code, headers, token, message) => {
    hub.api.push(status(code, headers));
    expect(await refusal({ token })).toMatch(message);
    expect(waits).toEqual([]);
  });

  test('a file names it', async () => {
    hub.contents.push(status(404, { 'x-error-code': 'EntryNotFound' }));
    expect(await refusal({ files: ['config.json'] })).toBe(
      'config.json: there is no such file (404). Check its name and the revision.',
    );
  });

  test('is asked again when it has too much to do, as late as it says', async () => {
    const soon = new Date(Date.now() + 30_000).toUTCString();
    hub.api.push(status(429, { 'retry-after': '7' }), status(503, { 'retry-after': soon }), status(429));
    await download();
    expect(waits[0]).toBe(7000);
    expect(waits[1]).toBeGreaterThan(20_000);
    expect(waits[1]).toBeLessThanOrEqual(30_000);
    expect(waits[2]).toBe(2000);
  });

  test('for too long is not waited for', async () => {
    hub.api.push(status(429, { 'retry-after': '300' }));
    expect(await refusal()).toMatch(/too many requests \(429\)\. Try again in 300 s, or set HF_TOKEN/);
    expect(waits).toEqual([]);
  });

  test('again and again is left', async () => {
    for (let attempt = 0; attempt < 6; attempt++) hub.api.push(status(500));
    expect(await refusal()).toMatch(/the hub failed \(500\)\. Try again later/);
    expect(waits).toHaveLength(5);
  });

  test.each([400, 403, 410])('with %i at an address that has expired is asked for another, once', async (code) => {
    hub.contents.push(status(code));
    await download();
    expect(hub.ranges).toHaveLength(2);
    await rm(cache, { recursive: true });
    for (let attempt = 0; attempt < 6; attempt++) hub.contents.push(status(code));
    expect(await refusal()).toMatch(/its store, 127.0.0.1:\d+, refused the request/);
    expect(hub.ranges).toHaveLength(4);
  });

  test.each([404, 405, 451, 501])('with %i from its store is not asked again', async (code) => {
    hub.contents.push(status(code));
    expect(await refusal()).toMatch(new RegExp(`refused the request \\(${code}\\)`));
    expect(waits).toEqual([]);
  });

  test.each([408, 425, 504])('with %i for now is asked again', async (code) => {
    hub.contents.push(status(code));
    await download();
    expect(waits).toEqual([500]);
  });
});

describe('redirects', () => {
  test('keep the token from all hosts but the hub', async () => {
    hub.api.push((response, _, request) => response.writeHead(307, { location: `${request.url}?` }).end());
    await download({ files: ['config.json', 'model.safetensors'], token: 'hf_secret' });
    const tokens = (host: string) => [
      ...new Set(hub.received.filter((request) => request.host === host).map(({ authorization }) => authorization)),
    ];
    expect(tokens('hub')).toEqual(['Bearer hf_secret']);
    expect(tokens('store')).toEqual([undefined]);
    hub.api.push(status(302, { location: `${hub.storeUrl}/api/models/org/name/revision/main` }));
    await download({ token: 'hf_secret' });
    expect(tokens('store')).toEqual([undefined]);
  });

  test.each([
    ['in a circle', '/org/name/resolve/again', /redirects more than 10 times/],
    ['out of the web', 'file:///etc/passwd', /redirects to "file:.*not a web address/],
    ['to nowhere', 'http://', /redirects to "http:\/\/", which is not a web address/],
  ])('do not lead %s', async (_, location, message) => {
    for (let count = 0; count < 20; count++)
      hub.api.push(status(302, { location: location.replace(/^\/.*/, '/api/models/x') }));
    expect(await refusal()).toMatch(message);
    expect(waits).toEqual([]);
  });
});

describe('the token', () => {
  const sent = async (options: Partial<DownloadOptions> = {}) => {
    hub.received.length = 0;
    await download(options);
    return hub.received[0]!.authorization;
  };

  test('is the option, a variable, or that of a login', async () => {
    expect(await sent()).toBe(undefined);
    await writeFile(join(home, 'token'), 'hf_home\n');
    expect(await sent()).toBe('Bearer hf_home');
    await writeFile(join(home, 'elsewhere'), 'hf_path');
    vi.stubEnv('HF_TOKEN_PATH', join(home, 'elsewhere'));
    expect(await sent()).toBe('Bearer hf_path');
    vi.stubEnv('HUGGING_FACE_HUB_TOKEN', 'hf_old');
    expect(await sent()).toBe('Bearer hf_old');
    vi.stubEnv('HF_TOKEN', 'hf_variable');
    expect(await sent()).toBe('Bearer hf_variable');
    expect(await sent({ token: 'hf_option' })).toBe('Bearer hf_option');
  });

  test('must have the characters of a token', async () => {
    expect(await refusal({ token: 'hf_a\r\nx-evil: 1' })).toMatch(/must have letters, digits and punctuation only/);
    expect(hub.received).toEqual([]);
  });
});

describe('the endpoint', () => {
  test('may be a folder of a mirror', async () => {
    const mirror = `${hub.url}/mirror/`;
    expect(await refusal({ endpoint: mirror })).toMatch(/404/);
    expect(hub.received[0]!.path).toBe('/mirror/api/models/org/name/revision/main');
  });

  test.each(['huggingface.co', 'ftp://host', 'http://'])('is not %s', async (endpoint) => {
    vi.stubEnv('HF_ENDPOINT', endpoint);
    expect(await refusal({ endpoint: undefined })).toMatch(/^HF_ENDPOINT must be a web address such as https:/);
  });
});

describe('strangers', () => {
  test.each([
    '../evil',
    'a/../../evil',
    '/etc/passwd',
    'a//b',
    './a',
    'a\\..\\evil',
    '\\\\host\\share',
    'C:\\evil',
    'c:evil',
    'a/D:/evil',
    'a\0b',
    'a\nb',
    '.. /evil',
    '',
  ])('may not name a file %j', async (name) => {
    hub.add(name, Buffer.from('evil'));
    const message = await refusal({ files: (listing) => listing.map((file) => file.name) });
    expect(message).toMatch(/^org\/name at main: the hub lists the file ".*", which may lead out of its folder/);
    expect(await held()).toEqual([]);
  });

  test.each(['../evil', 'a/b/c', 'a--b', 'org/..', '', 'org/name?x'])('may not make a repository %j', async (repo) => {
    await expect(downloadModel(repo, { files: [] })).rejects.toThrow(OptionError);
    await expect(downloadModel(repo, { files: [] })).rejects.toThrow(`not ${JSON.stringify(repo)}.`);
    expect(hub.received).toEqual([]);
  });

  const oid = '0'.repeat(40);
  test.each<[string, (string | undefined)[], RegExp]>([
    ['broken JSON', ['{"sha":'], /must answer with the JSON of a hub/],
    ['a web page', ['<html>'], /must answer with the JSON of a hub/],
    ['no commit', ['{"sha": "../../evil"}'], /must return a commit of 40 hexadecimal digits/],
    ['nothing', ['null'], /must return a commit/],
    ['no list', [undefined, '{}'], /the hub's listing must be a list/],
    ['no files', [undefined, '[null]'], /lists a file without a name/],
    ['no size', [undefined, `[{"path": "a", "oid": "${oid}"}]`], /lists "a" without a size/],
    ['a size below 0', [undefined, `[{"path": "a", "oid": "${oid}", "size": -1}]`], /lists "a" without a size/],
    ['no checksum', [undefined, '[{"path": "a", "size": 1}]'], /lists "a" without a checksum/],
    ['a path for a checksum', [undefined, '[{"path": "a", "size": 1, "oid": "../evil"}]'], /without a checksum/],
    [
      'a short checksum of a large file',
      [undefined, `[{"path": "a", "size": 1, "lfs": {"oid": "${oid}"}}]`],
      /without a checksum/,
    ],
  ])('may not send %s', async (_, bodies, message) => {
    for (const body of bodies) {
      hub.api.push(body === undefined ? send(JSON.stringify({ sha: hub.commit })) : send(body));
    }
    expect(await refusal()).toMatch(message);
    expect(await held()).toEqual([]);
  });

  test('may not send another commit than was asked for', async () => {
    hub.api.push(send(JSON.stringify({ sha: hub.commit })));
    expect(await refusal({ revision: 'd1'.repeat(20) })).toMatch(/the hub returned another commit, c0c0c0/);
  });

  test('may not send pages for more than minutes', async () => {
    hub.api.push(send(JSON.stringify({ sha: hub.commit })));
    const page = send('[]', { headers: { link: '<?again>; rel="next"' } });
    const start = performance.now();
    const clock = vi.spyOn(performance, 'now');
    for (let minute = 1; minute < 20; minute++) {
      hub.api.push((...args) => {
        clock.mockReturnValue(start + 60_000 * minute);
        page(...args);
      });
    }
    const message = await refusal().finally(() => clock.mockRestore());
    expect(message).toMatch(/the listing has no end/);
    expect(hub.received.length).toBeLessThan(15);
  });

  test('may not send pages without end', async () => {
    hub.api.push(send(JSON.stringify({ sha: hub.commit })));
    for (let page = 0; page < 1001; page++) hub.api.push(send('[]', { headers: { link: '<?again>; rel="next"' } }));
    expect(await refusal()).toMatch(/the listing has no end/);
  });
});

describe('without a hub', () => {
  test('the cache does, in offline mode', async () => {
    await download();
    hub.received.length = 0;
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const model = await download({ files: (listing) => listing.map(({ name }) => name) });
    expect(model.files).toEqual(new Map([['model.safetensors', snapshot('model.safetensors')]]));
    expect(model.source).toBe('cache');
    expect((await download({ revision: hub.commit })).files).toEqual(model.files);
    expect(hub.received).toEqual([]);
    expect((await download({ offline: false })).source).toBe('hub');
  });

  test('the cache says what it lacks', async () => {
    expect(await refusal({ offline: true })).toBe(
      `The cache at ${at()} has no files of org/name at main. The network is not used in offline mode. Download the model once without HF_HUB_OFFLINE.`,
    );
    await download();
    expect(await refusal({ offline: true, files: ['model.safetensors', 'config.json'] })).toMatch(
      /lacks "config.json" of org\/name at main\. The network is not used in offline mode/,
    );
  });

  test('the cache does at once when the network is down', async () => {
    await download();
    await hub.stop();
    const model = await download();
    expect(model).toMatchObject({ source: 'cache', revision: hub.commit });
    expect(waits).toEqual([]);
  });

  test('the hub is asked again when the cache lacks a file', async () => {
    await download();
    hub.api.push(status(500), status(500));
    expect((await download({ files: ['config.json'] })).source).toBe('hub');
    expect(waits).toEqual([500]);
  });

  test.each([
    ['that has no TLS', () => hub.url.replace('http', 'https'), /does not support the HTTPS/],
    ['at a port that is not for the web', () => 'http://127.0.0.1:25', /cannot be connected to \(bad port\)/],
  ])('a host %s is not asked again, and the cache does', async (_, endpoint, message) => {
    expect(await refusal({ endpoint: endpoint() })).toMatch(message);
    await download();
    expect((await download({ endpoint: endpoint() })).source).toBe('cache');
    expect(waits).toEqual([]);
  });

  const networkFault = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(), { code }) });

  test.each([
    ['ENOTFOUND', /^127.0.0.1:\d+ has no address \(ENOTFOUND\)\. Check HF_ENDPOINT/],
    ['CERT_HAS_EXPIRED', /certificate that is not trusted .*NODE_EXTRA_CA_CERTS/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /certificate that is not trusted/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /certificate that is not trusted/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /certificate that is not trusted/],
    ['HPE_INVALID_CONSTANT', /does not answer in HTTP/],
  ])('a host is not asked again after %s, unless it has answered before', async (code, message) => {
    const fetched = vi.spyOn(globalThis, 'fetch');
    try {
      fetched.mockRejectedValueOnce(networkFault(code));
      expect(await refusal()).toMatch(message);
      expect(waits).toEqual([]);
      hub.contents.push((response) => {
        fetched.mockRejectedValueOnce(networkFault(code));
        response.destroy();
      });
      await download();
      expect(waits).toEqual([500, 1000]);
    } finally {
      fetched.mockRestore();
    }
  });

  test.each(['ECONNRESET', 'EAI_AGAIN', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])(
    'a host is asked again after %s',
    async (code) => {
      const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValueOnce(networkFault(code));
      await download().finally(() => fetched.mockRestore());
      expect(waits).toEqual([500]);
    },
  );

  test('there is nothing to do when the cache is empty', async () => {
    await hub.stop();
    expect(await refusal()).toMatch(/^The connection to 127.0.0.1:\d+ failed \(ECONNREFUSED\)/);
    expect(waits).toHaveLength(5);
  });
});

describe('options', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ file: ['config.json'] }, 'The option file of downloadModel is not known. Did you mean files?'],
    [{ files: undefined }, 'files is missing; it must be a list of file names, or a function that returns one.'],
    [{ files: 'config.json' }, 'files must be a list of file names'],
    [{ parallel: 0 }, 'parallel must be a whole number from 1 to 64, not 0.'],
    [{ offline: 'yes' }, 'offline must be true or false, not "yes".'],
    [{ token: 7 }, 'token must be a string, not 7.'],
    [{ endpoint: 'huggingface.co' }, 'endpoint must be a web address such as "https://huggingface.co", not'],
    ...['../../evil', '/etc', 'a\\b', ''].map((revision): [Record<string, unknown>, string] => [
      { revision },
      `revision must be the name of a branch, a tag or a commit, not ${JSON.stringify(revision)}.`,
    ]),
  ])('are refused by name: %j', async (options, message) => {
    const refused = download(options);
    await expect(refused).rejects.toThrow(OptionError);
    await expect(refused).rejects.toThrow(message);
    expect(hub.received).toEqual([]);
  });
});

describe('progress', () => {
  test.each([
    ['throws', () => expect.fail('seen')],
    ['rejects', () => Promise.reject(new Error('seen'))],
  ])('rejects the call when its callback %s', async (_, onProgress) => {
    await expect(download({ onProgress })).rejects.toThrow('seen');
  });

  test('counts what arrives and what is there', async () => {
    await download({ files: ['config.json'] });
    hub.contents.push((response, content) => {
      response.writeHead(200, { 'content-length': content.byteLength });
      for (const part of [0, 1, 2]) {
        setTimeout(() => response.write(content.subarray(100_000 * part, 100_000 * (part + 1))), 200 * part);
      }
    });
    const reports: DownloadProgress[] = [];
    const onProgress = (progress: DownloadProgress) => reports.push(progress);
    await download({ files: ['config.json', 'model.safetensors'], onProgress });
    const total = weights.byteLength + config.byteLength;
    expect(reports.every((report) => report.total === total)).toBe(true);
    const bytes = reports.map((report) => report.done);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    expect(bytes.length).toBeGreaterThan(2);
    expect(reports.at(-1)).toMatchObject({ stage: 'download', unit: 'bytes', done: total, total, secondsLeft: 0 });
    // 200 kB after 200 and 400 ms; a busy machine makes it slower.
    const { rate = Number.NaN, secondsLeft } = reports.at(-2)!;
    expect(rate).toBeGreaterThan(1e4);
    expect(rate).toBeLessThan(5e6);
    expect(secondsLeft).toBeCloseTo((total - reports.at(-2)!.done) / rate, 5);
  });

  test('tells of a model that is there, too', async () => {
    await download();
    const onProgress = vi.fn();
    await download({ onProgress });
    expect(onProgress.mock.calls).toEqual([
      [{ stage: 'download', unit: 'bytes', done: 300_000, total: 300_000, rate: undefined, secondsLeft: undefined }],
    ]);
  });
});
