import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { broken, FakeUploadHub, refused } from '@dalle-mini/testing/fake-upload-hub';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { randomBytes } from '@dalle-mini/testing/random';
import {
  downloadModel,
  HubError,
  type UploadOptions,
  type UploadProgress,
  uploadFolder,
} from '@dalle-mini/weights/hub';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

/** The waits before retries take no time here. */
vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof import('node:timers/promises')>()),
  setTimeout: async () => undefined,
}));

let hub: FakeUploadHub;
let folder: string;
const weights = Buffer.from(randomBytes(5000, 1));
const vqgan = Buffer.from(randomBytes(3000, 2));

beforeEach(async () => {
  vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '2');
  hub = new FakeUploadHub();
  await hub.start();
  folder = await temporaryFolder();
  await mkdir(join(folder, 'decoder'));
  await writeFile(join(folder, 'model.json'), '{"name":"tiny"}');
  await writeFile(join(folder, 'decoder', 'model.safetensors'), weights);
  await writeFile(join(folder, 'vqgan.safetensors'), vqgan);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
});

const upload = (options: UploadOptions = {}, repo = 'owner/name') =>
  uploadFolder(folder, repo, { endpoint: hub.url, token: hub.token, ...options });
const all = {
  'model.json': '{"name":"tiny"}',
  'decoder/model.safetensors': weights.toString('latin1'),
  'vqgan.safetensors': vqgan.toString('latin1'),
};
const count = (kind: string) => hub.received.filter((received) => received === kind).length;

describe('an upload', () => {
  test('creates the repository and makes one commit', async () => {
    const result = await upload({ message: 'First model', private: true });
    expect(hub.contents('owner/name')).toEqual(all);
    expect(hub.repositories.get('owner/name')!.isPrivate).toBe(true);
    expect(hub.messages).toEqual(['First model']);
    expect(result).toEqual({
      url: `${hub.url}/owner/name`,
      created: true,
      commit: hub.repositories.get('owner/name')!.branches.get('main')!.commit,
      files: [
        { name: 'decoder/model.safetensors', size: 5000, state: 'sent' },
        { name: 'model.json', size: 15, state: 'sent' },
        { name: 'vqgan.safetensors', size: 3000, state: 'sent' },
      ],
    });
  });

  test('can be downloaded again', async () => {
    const { commit } = await upload();
    const hubOptions = { endpoint: hub.url, token: hub.token, cacheDir: await temporaryFolder() };
    const { revision, files } = await downloadModel('owner/name', { ...hubOptions, files: Object.keys(all) });
    expect(revision).toBe(commit);
    for (const [name, path] of files) expect(await readFile(path, 'latin1')).toBe(all[name as keyof typeof all]);
  });

  test('sends nothing again, and makes no empty commit', async () => {
    await upload();
    hub.received.length = 0;
    const again = await upload();
    expect(again.files.map(({ state }) => state)).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(again.created).toBe(false);
    expect(hub.received).toEqual(['model', 'listing', 'listing']);
  });

  test('sends only what changed, and keeps what only the hub has', async () => {
    await upload();
    await writeFile(join(folder, 'model.json'), '{"name":"other"}');
    await rm(join(folder, 'vqgan.safetensors'));
    hub.received.length = 0;
    await upload();
    expect(hub.contents('owner/name')).toEqual({ ...all, 'model.json': '{"name":"other"}' });
    expect(count('put')).toBe(0);
  });

  test('sends the files of options.files too', async () => {
    await upload({
      files: new Map([
        ['README.md', Buffer.from('# Card')],
        ['model.json', Buffer.from('{}')],
      ]),
    });
    expect(hub.contents('owner/name')).toEqual({ ...all, 'README.md': '# Card', 'model.json': '{}' });
  });

  test('keeps files of the repository that are named', async () => {
    const card = (text: string) => ({ files: new Map([['README.md', Buffer.from(text)]]), keep: ['README.md'] });
    await upload(card('# First'));
    const { files } = await upload(card('# Second'));
    expect(hub.contents('owner/name')['README.md']).toBe('# First');
    expect(files.every(({ state }) => state === 'unchanged')).toBe(true);
  });

  test('leaves out what systems and tools leave', async () => {
    await mkdir(join(folder, '.git'));
    for (const name of ['.git/config', '.DS_Store', '._model.json', '.1b9d6bcd.tmp'])
      await writeFile(join(folder, name), 'x');
    await upload();
    expect(hub.contents('owner/name')).toEqual(all);
  });

  test('goes to a new branch, which has the files of main', async () => {
    await upload();
    await upload({ revision: 'v1.0', files: new Map([['README.md', Buffer.from('# 1.0')]]) });
    expect(hub.contents('owner/name', 'v1.0')).toEqual({ ...all, 'README.md': '# 1.0' });
    expect(hub.contents('owner/name')).toEqual(all);
  });

  test('sends a large file in parts', async () => {
    hub.partSize = 1024;
    await upload();
    expect(hub.contents('owner/name')).toEqual(all);
    expect(count('put')).toBe(5 + 3);
    expect(count('complete')).toBe(2);
  });

  test('reports its progress', async () => {
    const reports: UploadProgress[] = [];
    await upload({ onProgress: (progress) => reports.push(progress) });
    const last = (stage: string) => reports.findLast((report) => report.stage === stage);
    for (const stage of ['hash', 'upload'])
      expect(last(stage)).toMatchObject({ unit: 'bytes', done: 8015, total: 8015 });
  });

  test('that is dry changes nothing, and says what it would send', async () => {
    const dry = await upload({ dryRun: true });
    expect(dry).toMatchObject({ created: false, commit: undefined });
    expect(dry.files.every(({ state }) => state === 'sent')).toBe(true);
    expect(hub.repositories.size).toBe(0);
    await upload();
    hub.received.length = 0;
    await writeFile(join(folder, 'model.json'), 'new');
    expect((await upload({ dryRun: true })).files.map(({ state }) => state)).toEqual([
      'unchanged',
      'sent',
      'unchanged',
    ]);
    expect(hub.received).toEqual(['model', 'listing', 'listing']);
  });
});

describe('an upload that breaks', () => {
  test.each(['model', 'create', 'listing', 'preupload', 'batch', 'put', 'verify', 'commit'] as const)(
    'at %s is tried again',
    async (kind) => {
      hub.failOnce(kind, broken(), broken());
      await upload();
      expect(hub.contents('owner/name')).toEqual(all);
      expect(hub.messages).toHaveLength(1);
    },
  );

  test.each(['create', 'put', 'commit'] as const)('after %s has had its effect is completed', async (kind) => {
    hub.failOnce(kind, broken({ after: true }));
    await upload();
    expect(hub.contents('owner/name')).toEqual(all);
    expect(hub.messages).toHaveLength(1);
  });

  test('for good is resumed by the next one, without sending a large file twice', async () => {
    hub.failOnce('commit', ...Array.from({ length: 9 }, () => broken()));
    await expect(upload()).rejects.toThrow(HubError);
    expect(count('put')).toBe(2);
    hub.faults.clear();
    await upload();
    expect(count('put')).toBe(2);
    expect(hub.contents('owner/name')).toEqual(all);
  });

  test('is cancelled by a signal, with its reason', async () => {
    const controller = new AbortController();
    hub.failOnce('put', () => controller.abort(new Error('enough')));
    await expect(upload({ signal: controller.signal })).rejects.toThrow('enough');
    expect(count('commit')).toBe(0);
    await expect(upload({ signal: AbortSignal.abort('no') })).rejects.toBe('no');
  });

  test('with a host that says nothing ends', async () => {
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.05');
    hub.failOnce('batch', ...Array.from({ length: 9 }, () => () => undefined));
    await expect(upload()).rejects.toThrow(/sent nothing for 0\.3 s/);
  });
});

describe('a refusal', () => {
  test.each([
    [
      'create',
      403,
      'You don\'t have the rights to create a model under "owner"',
      /\(403: You don't have the rights .*\)\. Use a token with write access/,
    ],
    ['put', 403, 'expired', /refused \(403: expired\)/],
    [
      'commit',
      412,
      'A commit has happened since',
      /\(412: A commit has happened since\)\. Another upload changed the revision\./,
    ],
    ['commit', 409, 'conflict', /Another upload changed the repository\. Run the same command again\./],
    [
      'batch',
      403,
      'Private repository storage limit reached',
      /storage limit reached\)\. .*if storage is full, free some\./,
    ],
    ['preupload', 402, 'Payment required', /\(402: Payment required\)\. Free storage, or change the plan/],
    ['commit', 413, '', /\(413\)\. Upload fewer or smaller files\./],
  ] as const)('of %s with %i has its reason and what to do', async (kind, code, reason, message) => {
    hub.failOnce(kind, refused(code, reason));
    const error = await upload().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HubError);
    expect((error as HubError).message).toMatch(message);
  });

  test('of the token names the variable', async () => {
    await expect(upload({ token: 'hf_other' })).rejects.toThrow(
      'owner/name: the upload was refused (401: Invalid credentials in Authorization header). Set HF_TOKEN to an access token that may write (role "write").',
    );
    await expect(upload({ token: '' })).rejects.toThrow('An upload needs an access token. Set HF_TOKEN');
    expect(hub.repositories.size).toBe(0);
  });

  test.each(['name', 'a/b/c', '../x', 'owner/name.git', 'owner/a--b'])(
    'of the name %s needs no network',
    async (repo) => {
      await expect(upload({}, repo)).rejects.toThrow(OptionError);
      expect(hub.received).toEqual([]);
    },
  );

  test.each([
    [{ revision: 'c0'.repeat(20) }, 'revision must be the name of a branch'],
    [{ parallel: 0 }, 'parallel must be a whole number from 1 to 16'],
    [{ files: new Map([['../x', Buffer.alloc(1)]]) }, 'files must be a Map of bytes by file name'],
    [{ privat: true }, 'Did you mean private?'],
  ])('of the options %j names them', async (options, message) => {
    await expect(upload(options as UploadOptions)).rejects.toThrow(message);
  });

  test('of an empty or missing folder names it', async () => {
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
    await expect(upload()).rejects.toThrow(`${folder} has no files to upload.`);
    await expect(uploadFolder(join(folder, 'no'), 'owner/name', { token: 'x' })).rejects.toThrow(join(folder, 'no'));
  });
});
