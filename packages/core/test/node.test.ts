import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '@dalle-mini/core';
import {
  exists,
  FileError,
  isFolder,
  isMissing,
  isSystemError,
  makeFolder,
  openFile,
  readBytes,
  readJsonFile,
  readTextFile,
  readTextIfPresent,
  withFileErrors,
  writeFileAtomically,
  writeFolderAtomically,
  writeJsonFile,
} from '@dalle-mini/core/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'core-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a file', () => {
  test('is written from text, bytes or parts, and leaves no other file in its folder', async () => {
    const path = join(folder, 'a');
    for (const content of [
      'äb',
      new TextEncoder().encode('äb'),
      ['ä', 'b'].map((part) => new TextEncoder().encode(part)),
    ]) {
      await writeFileAtomically(path, content);
      expect(await readFile(path, 'utf8')).toBe('äb');
    }
    expect(await readdir(folder)).toEqual(['a']);
  });

  test('keeps its content if producing the new parts fails', async () => {
    const path = join(folder, 'a');
    await writeFileAtomically(path, 'old');
    const broken = (function* () {
      yield Uint8Array.of(1);
      throw new Error('no more');
    })();
    await expect(writeFileAtomically(path, broken)).rejects.toThrow('no more');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['a']);
  });

  test('that cannot be written or read is named in the error, with the reason', async () => {
    await expect(writeFileAtomically(join(folder, 'none', 'a'), '')).rejects.toThrow(
      /none\/a: its folder does not exist/,
    );
    await expect(readTextFile(join(folder, 'b'))).rejects.toThrow(FileError);
  });

  test('is refused if it is a folder, or a pipe, whose reading may never end', async () => {
    await expect(readTextFile(folder)).rejects.toThrow(/it is a folder/);
    if (process.platform === 'win32') return;
    await promisify(execFile)('mkfifo', [join(folder, 'pipe')]);
    await expect(readTextFile(join(folder, 'pipe'))).rejects.toThrow(/pipe: it is a pipe or a device/);
  });

  test('that is larger than the limit is refused before it is read', async () => {
    await writeFile(join(folder, 'a'), 'four');
    await expect(readBytes(join(folder, 'a'), 3)).rejects.toThrow('it must have at most 3 bytes, not 4.');
  });

  test('of text may begin with a byte order mark', async () => {
    await writeFile(join(folder, 'bom.json'), '\ufeff{"a": 1}');
    expect(await readJsonFile(join(folder, 'bom.json'))).toEqual({ a: 1 });
  });

  test.each(['', '[1]', 'null', '{"a": ', `[${'['.repeat(1e5)}`])(
    'of JSON must contain an object: case %#',
    async (text) => {
      await writeFile(join(folder, 'x.json'), text);
      const error = await readJsonFile(join(folder, 'x.json')).catch((caught: unknown) => caught);
      expect(ConfigError.isInstance(error)).toBe(true);
      expect((error as Error).message).toMatch(/x\.json: the text must be .*Correct it/);
      expect((error as Error).message.length).toBeLessThan(600);
    },
  );
});

describe('a folder', () => {
  const target = () => join(folder, 'model');
  const fillWith = (text: string) => (path: string) => writeFile(join(path, 'a'), text);
  const content = () => readFile(join(target(), 'a'), 'utf8');

  test('is replaced as a whole, and leaves nothing next to it', async () => {
    await writeFolderAtomically(target(), fillWith('one'));
    await writeFolderAtomically(target(), fillWith('two'));
    expect(await content()).toBe('two');
    expect(await readdir(folder)).toEqual(['model']);
  });

  test('does not change if writing the new one fails', async () => {
    await writeFolderAtomically(target(), fillWith('one'));
    const failing = writeFolderAtomically(target(), async (path) => {
      await fillWith('two')(path);
      throw new Error('no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(await content()).toBe('one');
    expect(await readdir(folder)).toEqual(['model']);
  });

  test('has the content of one writer if several write it at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => writeFolderAtomically(target(), fillWith(`${i}`))));
    expect(Number(await content())).toBeLessThan(20);
    expect(await readdir(folder)).toEqual(['model']);
  });

  test('stays as it is if another writer was first and its folder is to be kept', async () => {
    const written: string[] = [];
    const write = (text: string) =>
      writeFolderAtomically(target(), fillWith(text), {
        async keep() {
          written.push(await content());
          return true;
        },
      });
    await Promise.all(Array.from({ length: 20 }, (_, i) => write(`${i}`)));
    expect(written).toEqual(Array(19).fill(await content()));
    expect(await readdir(folder)).toEqual(['model']);
  });

  test('is replaced if it is not to be kept', async () => {
    await writeFolderAtomically(target(), fillWith('one'));
    await writeFolderAtomically(target(), fillWith('two'), { keep: async () => false });
    expect(await content()).toBe('two');
  });

  test('does not replace a file', async () => {
    await writeJsonFile(join(folder, 'file'), {});
    await expect(writeFolderAtomically(join(folder, 'file', 'model'), fillWith('x'))).rejects.toThrow(FileError);
    await expect(writeFolderAtomically(join(folder, 'file'), fillWith('x'))).rejects.toThrow(FileError);
    expect(await readdir(folder)).toEqual(['file']);
  });

  test.skipIf(process.getuid?.() === 0)(
    'that cannot be written for lack of permission is named in the error',
    async () => {
      await chmod(folder, 0o500);
      await expect(writeFolderAtomically(target(), fillWith('x'))).rejects.toThrow(/permission is denied/);
      await chmod(folder, 0o700);
      expect(await exists(target())).toBe(false);
    },
  );
});

describe('a system error', () => {
  const stat = (name: string) => withFileErrors('read', join(folder, name), () => readFile(join(folder, name)));

  test('becomes a file error of the path, and another error stays what it is', async () => {
    const error = await stat('none').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ path: join(folder, 'none'), systemCode: 'ENOENT' });
    expect(isSystemError((error as FileError).cause)).toBe(true);
    expect(isSystemError(error)).toBe(false);
    const other = new Error('other');
    await expect(withFileErrors('read', 'a', () => Promise.reject(other))).rejects.toBe(other);
    expect(await withFileErrors('read', 'a', async () => 7)).toBe(7);
  });

  test('says that a file is missing where it, or a folder of its path, does not exist', async () => {
    await writeFile(join(folder, 'file'), '');
    for (const name of ['none', 'none/a', 'file/a']) {
      const error = await stat(name).catch((thrown: unknown) => thrown);
      expect([name, isMissing(error), isMissing((error as Error).cause)]).toEqual([name, true, true]);
    }
    const isAFolder = await stat('').catch((thrown: unknown) => thrown);
    expect(isMissing(isAFolder)).toBe(false);
    expect(isMissing(undefined)).toBe(false);
  });
});

describe('a folder', () => {
  test('is made with its parents, and again', async () => {
    const path = join(folder, 'a/b');
    expect(await isFolder(path)).toBe(false);
    await makeFolder(path);
    await makeFolder(path);
    expect(await isFolder(path)).toBe(true);
  });

  test('cannot be made where a file is', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    expect(await isFolder(path)).toBe(false);
    await expect(makeFolder(path)).rejects.toThrow(FileError);
    await expect(makeFolder(join(path, 'a'))).rejects.toThrow(FileError);
  });
});

test('a text that may be absent is undefined then, and no other failure is', async () => {
  expect(await readTextIfPresent(join(folder, 'none'))).toBeUndefined();
  await writeFile(join(folder, 'a'), 'text');
  expect(await readTextIfPresent(join(folder, 'a'))).toBe('text');
  await expect(readTextIfPresent(folder)).rejects.toThrow(FileError);
});

test('an opened file is read in parts', async () => {
  await writeFile(join(folder, 'a'), 'abcdef');
  const file = await openFile(join(folder, 'a'));
  const { buffer } = await file.read(Buffer.alloc(3), 0, 3, 2);
  await file.close();
  expect(buffer.toString()).toBe('cde');
});
