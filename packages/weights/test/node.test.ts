import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, fromFloat32, fromInt32, toFloat32, writeSafetensors } from '@dalle-mini/weights';
import {
  FileError,
  locateTensors,
  readCheckpointFile,
  writeCheckpointFile,
  writeFileAtomically,
} from '@dalle-mini/weights/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

/** The system's calls that fail, with their codes. */
const faults = vi.hoisted((): { open?: string; write?: string; rename?: string } => ({}));

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  const { fail } = await import('./system-error.js');
  return {
    ...actual,
    async open(...args: Parameters<typeof actual.open>) {
      const { open, write } = faults;
      if (open !== undefined) fail(open, 'open');
      const file = await actual.open(...args);
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
const tensors = new Map([
  ['a', fromFloat32(Float32Array.of(1, 2, 3), [3])],
  ['b', fromFloat32(Float32Array.of(4), [], 'F16')],
]);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-'));
});

afterEach(async () => {
  for (const call of ['open', 'write', 'rename'] as const) delete faults[call];
  await rm(folder, { recursive: true });
});

describe('readCheckpointFile', () => {
  it('reads what writeCheckpointFile wrote, which is what writeSafetensors returns', async () => {
    await writeCheckpointFile(at('model.safetensors'), tensors, { step: '5' });
    expect(new Uint8Array(await readFile(at('model.safetensors')))).toEqual(writeSafetensors(tensors, { step: '5' }));
    const read = await readCheckpointFile(at('model.safetensors'));
    expect(read.metadata).toEqual({ step: '5' });
    expect(toFloat32(read.tensors.get('a')!)).toEqual(Float32Array.of(1, 2, 3));
    expect(toFloat32(read.tensors.get('b')!)).toEqual(Float32Array.of(4));
  });

  it('gives each tensor memory of its own', async () => {
    await writeCheckpointFile(at('model.safetensors'), tensors);
    const read = (await readCheckpointFile(at('model.safetensors'))).tensors;
    expect(read.get('a')!.bytes.buffer.byteLength).toBe(12);
  });

  it('reads floats in the width that they were asked to be written in', async () => {
    const integers = fromInt32(Int32Array.of(7), [1]);
    const given = new Map([...tensors, ['c', fromFloat32(Float32Array.of(0.1), [1], 'BF16')], ['i', integers]]);
    await writeCheckpointFile(at('model.safetensors'), given, {}, { dtype: 'F16' });
    const { tensors: read } = await readCheckpointFile(at('model.safetensors'));
    expect([...read].map(([name, { dtype }]) => [name, dtype])).toEqual([
      ['i', 'I32'],
      ['a', 'F16'],
      ['b', 'F16'],
      ['c', 'F16'],
    ]);
    expect(toFloat32(read.get('a')!)).toEqual(Float32Array.of(1, 2, 3));
    // The nearest bfloat16 to 0.1, which half precision can hold.
    expect(toFloat32(read.get('c')!)).toEqual(Float32Array.of(0.10009765625));
    expect(writeSafetensors(given, {}, { dtype: 'F16' })).toEqual(
      new Uint8Array(await readFile(at('model.safetensors'))),
    );
  });

  it('says which file is not sound, and why', async () => {
    await writeFile(at('model.safetensors'), writeSafetensors(tensors).subarray(0, -1));
    const reading = readCheckpointFile(at('model.safetensors'));
    await expect(reading).rejects.toThrow(CheckpointError);
    await expect(reading).rejects.toThrow(`${at('model.safetensors')}: Tensor "b"`);
    await truncate(at('model.safetensors'), 3);
    await expect(readCheckpointFile(at('model.safetensors'))).rejects.toThrow(/has 3 bytes, too few/);
  });

  it.each([
    ['a missing file', 'ENOENT', /no such file/, async () => at('missing')],
    ['a folder', 'EISDIR', /it is a folder/, async () => folder],
    [
      'a path through a file',
      'ENOTDIR',
      /a file where a folder is needed/,
      async () => {
        await writeFile(at('file'), bytes);
        return at('file/model.safetensors');
      },
    ],
  ])('explains %s', async (_, code, message, make) => {
    const path = await make();
    const error = await readCheckpointFile(path).catch((reason) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ code, path, message: expect.stringMatching(message) });
    expect(error.cause.code).toBe(code);
  });

  it('explains a file that may not be read', async () => {
    await writeFile(at('secret'), bytes);
    faults.open = 'EACCES';
    await expect(readCheckpointFile(at('secret'))).rejects.toMatchObject({
      name: 'FileError',
      code: 'EACCES',
      message: expect.stringMatching(/permission is denied/),
    });
  });
});

describe('locateTensors', () => {
  it('says where values lie in the file', async () => {
    await writeCheckpointFile(at('model.safetensors'), tensors);
    const located = await locateTensors(at('model.safetensors'));
    const file = await readFile(at('model.safetensors'));
    const { dtype, shape, offset } = located.get('a')!;
    expect({ dtype, shape }).toEqual({ dtype: 'F32', shape: [3] });
    expect([0, 4, 8].map((byte) => file.readFloatLE(offset + byte))).toEqual([1, 2, 3]);
    expect(located.get('b')).toEqual({
      dtype: 'F16',
      shape: [],
      folder,
      file: 'model.safetensors',
      offset: offset + 12,
    });
  });

  it('explains a file that is damaged or not there', async () => {
    await writeFile(at('model.safetensors'), writeSafetensors(tensors).subarray(0, -1));
    await expect(locateTensors(at('model.safetensors'))).rejects.toThrow(CheckpointError);
    await expect(locateTensors(at('none'))).rejects.toThrow(FileError);
  });
});

describe('writeFileAtomically', () => {
  it('writes the bytes and leaves no other file', async () => {
    await writeFileAtomically(at('file'), bytes);
    expect(new Uint8Array(await readFile(at('file')))).toEqual(bytes);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('puts a new file in the place of the old one, whose content stays whole for those who hold it', async () => {
    await writeFile(at('file'), 'old');
    await link(at('file'), at('held'));
    await writeFileAtomically(at('file'), bytes);
    expect(await readFile(at('held'), 'utf8')).toBe('old');
    expect(new Uint8Array(await readFile(at('file')))).toEqual(bytes);
  });

  it('replaces a symbolic link and leaves its target alone', async () => {
    await writeFile(at('target'), 'old');
    await symlink(at('target'), at('file'));
    await writeFileAtomically(at('file'), bytes);
    expect(await readFile(at('target'), 'utf8')).toBe('old');
    expect(new Uint8Array(await readFile(at('file')))).toEqual(bytes);
  });

  it('accepts a name as long as the file system does', async () => {
    await writeFileAtomically(at('n'.repeat(255)), bytes);
    expect(await readdir(folder)).toEqual(['n'.repeat(255)]);
  });

  it.each([
    ['write', 'ENOSPC', /the disk is full/],
    ['write', 'EDQUOT', /quota/],
    ['rename', 'EACCES', /permission is denied/],
    ['write', 'EIO', /injected/],
  ] as const)('keeps the old file and cleans up when %s fails with %s', async (call, code, message) => {
    await writeFile(at('file'), 'old');
    faults[call] = code;
    const error = await writeFileAtomically(at('file'), bytes).catch((reason) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ code, path: at('file'), message: expect.stringMatching(message) });
    expect(await readFile(at('file'), 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['file']);
  });

  it.each([
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
      /a file where a folder is needed/,
      async () => {
        await writeFile(at('file'), bytes);
        return at('file/model.safetensors');
      },
    ],
  ])('explains %s', async (_, code, message, make) => {
    const path = await make();
    const error = await writeFileAtomically(path, bytes).catch((reason) => reason);
    expect(error).toMatchObject({ name: 'FileError', code, path, message: expect.stringMatching(message) });
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
