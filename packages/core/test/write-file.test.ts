import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileError, isTemporaryName, writeFileAtomically } from '@dalle-mini/core/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

/** The system calls that fail, with their error codes. */
const faults = vi.hoisted((): { write?: string; rename?: string } => ({}));

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  const fail = (code: string, syscall: string) => {
    throw Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
  };
  return {
    ...actual,
    async open(...args: Parameters<typeof actual.open>) {
      const file = await actual.open(...args);
      const { write } = faults;
      // The device fills up after the first bytes, as a real one does.
      if (write !== undefined) {
        file.write = (async (bytes: Uint8Array) => {
          await file.writeFile(bytes.subarray(0, 1));
          fail(write, 'write');
        }) as never;
      }
      return file;
    },
    async rename(...args: Parameters<typeof actual.rename>) {
      if (faults.rename !== undefined) fail(faults.rename, 'rename');
      await actual.rename(...args);
    },
  };
});

let folder: string;
const at = (name: string) => join(folder, name);
const bytes = Uint8Array.of(1, 2, 3);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'core-'));
});

afterEach(async () => {
  for (const call of ['write', 'rename'] as const) delete faults[call];
  await rm(folder, { recursive: true });
});

describe('writeFileAtomically', () => {
  test('writes the bytes and leaves no other file', async () => {
    await writeFileAtomically(at('file'), bytes);
    expect(new Uint8Array(await readFile(at('file')))).toEqual(bytes);
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('replaces the old file without changing its content, which a hard link still shows', async () => {
    await writeFile(at('file'), 'old');
    await link(at('file'), at('link'));
    await writeFileAtomically(at('file'), bytes);
    expect(await readFile(at('link'), 'utf8')).toBe('old');
    expect(new Uint8Array(await readFile(at('file')))).toEqual(bytes);
  });

  test('replaces a symbolic link and does not change its target', async () => {
    await writeFile(at('target'), 'old');
    await symlink(at('target'), at('file'));
    await writeFileAtomically(at('file'), bytes);
    expect(await readFile(at('target'), 'utf8')).toBe('old');
    expect(new Uint8Array(await readFile(at('file')))).toEqual(bytes);
  });

  test('accepts the longest name of the file system', async () => {
    await writeFileAtomically(at('n'.repeat(255)), bytes);
    expect(await readdir(folder)).toEqual(['n'.repeat(255)]);
  });

  test.each([
    ['write', 'ENOSPC', /the disk is full/],
    ['write', 'EDQUOT', /quota/],
    ['rename', 'EACCES', /permission is denied/],
    ['write', 'EIO', /injected/],
  ] as const)('keeps the old file and cleans up when %s fails with %s', async (call, code, message) => {
    await writeFile(at('file'), 'old');
    faults[call] = code;
    const error = await writeFileAtomically(at('file'), bytes).catch((reason) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ systemCode: code, path: at('file'), message: expect.stringMatching(message) });
    expect(await readFile(at('file'), 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['file']);
  });

  test.each([
    ['a folder that does not exist', 'ENOENT', /its folder does not exist/, async () => at('missing/file')],
    [
      'a folder in its place',
      'EISDIR',
      /it is a folder/,
      async () => {
        await mkdir(at('taken'));
        return at('taken');
      },
    ],
    [
      'a path through a file',
      'ENOTDIR',
      /a file, not a folder/,
      async () => {
        await writeFile(at('file'), bytes);
        return at('file/a');
      },
    ],
  ])('explains %s', async (_, code, message, make) => {
    const path = await make();
    const error = await writeFileAtomically(path, bytes).catch((reason) => reason);
    expect(error).toMatchObject({ name: 'FileError', systemCode: code, path, message: expect.stringMatching(message) });
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('leaves a file with a temporary name when it is killed, and only such a name is one', async () => {
    let names: string[] = [];
    async function* parts() {
      yield bytes;
      names = await readdir(folder);
      yield bytes;
    }
    await writeFileAtomically(at('file'), parts());
    expect(names.map(isTemporaryName)).toEqual([true]);
    expect(['file', '.tmp', '.draft.tmp', `${names[0]}~`].map(isTemporaryName)).toEqual([false, false, false, false]);
  });
});
