import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OptionError } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { CheckpointError, fromFloat32, fromInt32, toFloat32, writeSafetensors } from '@dalle-mini/weights';
import { locateTensors, readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

/** The code that opening a file fails with, if any. */
const faults = vi.hoisted((): { open?: string } => ({}));

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof import('node:fs/promises')>();
  const { fail } = await import('@dalle-mini/testing/system-error');
  return {
    ...actual,
    async open(...args: Parameters<typeof actual.open>) {
      if (faults.open !== undefined) fail(faults.open, 'open');
      return actual.open(...args);
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
  delete faults.open;
  await rm(folder, { recursive: true });
});

describe('readCheckpointFile', () => {
  test('reads what writeCheckpointFile wrote, which is what writeSafetensors returns', async () => {
    await writeCheckpointFile(at('model.safetensors'), tensors, { step: '5' });
    expect(new Uint8Array(await readFile(at('model.safetensors')))).toEqual(writeSafetensors(tensors, { step: '5' }));
    const read = await readCheckpointFile(at('model.safetensors'));
    expect(read.metadata).toEqual({ step: '5' });
    expect(toFloat32(read.tensors.get('a')!)).toEqual(Float32Array.of(1, 2, 3));
    expect(toFloat32(read.tensors.get('b')!)).toEqual(Float32Array.of(4));
  });

  test('gives each tensor memory of its own', async () => {
    await writeCheckpointFile(at('model.safetensors'), tensors);
    const read = (await readCheckpointFile(at('model.safetensors'))).tensors;
    expect(read.get('a')!.bytes.buffer.byteLength).toBe(12);
  });

  test('reads floats in the width that they were asked to be written in', async () => {
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

  test('is not written with an option that does not exist', async () => {
    const options = { dtype: 'F8' as 'F16' };
    expect(() => writeSafetensors(tensors, {}, options)).toThrow(OptionError);
    const writing = writeCheckpointFile(at('model.safetensors'), tensors, {}, options);
    await expect(writing).rejects.toThrow('dtype must be "F32", "F16" or "BF16", not "F8".');
    expect(await readdir(folder)).toEqual([]);
  });

  test('says which file is not sound, and why', async () => {
    await writeFile(at('model.safetensors'), writeSafetensors(tensors).subarray(0, -1));
    const reading = readCheckpointFile(at('model.safetensors'));
    await expect(reading).rejects.toThrow(CheckpointError);
    await expect(reading).rejects.toThrow(`${at('model.safetensors')}: Tensor "b"`);
    await truncate(at('model.safetensors'), 3);
    await expect(readCheckpointFile(at('model.safetensors'))).rejects.toThrow(/has 3 bytes, too few/);
  });

  test.each([
    ['a missing file', 'ENOENT', /no such file/, async () => at('missing')],
    [
      'a path through a file',
      'ENOTDIR',
      /a file, not a folder/,
      async () => {
        await writeFile(at('file'), bytes);
        return at('file/model.safetensors');
      },
    ],
  ])('explains %s', async (_, code, message, make) => {
    const path = await make();
    const error = await readCheckpointFile(path).catch((reason) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ systemCode: code, path, message: expect.stringMatching(message) });
    expect(error.cause.code).toBe(code);
  });

  test('refuses a folder', async () => {
    await expect(readCheckpointFile(folder)).rejects.toThrow(`Cannot read ${folder}: it is a folder.`);
  });

  test.skipIf(process.platform === 'win32')('refuses a pipe, which it would wait for', async () => {
    await promisify(execFile)('mkfifo', [at('pipe')]);
    await expect(readCheckpointFile(at('pipe'))).rejects.toThrow('it is a pipe or a device');
  });

  test('explains a file that may not be read', async () => {
    await writeFile(at('secret'), bytes);
    faults.open = 'EACCES';
    await expect(readCheckpointFile(at('secret'))).rejects.toMatchObject({
      name: 'FileError',
      systemCode: 'EACCES',
      message: expect.stringMatching(/permission is denied/),
    });
  });
});

describe('locateTensors', () => {
  test('says where values lie in the file', async () => {
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

  test('explains a file that is damaged or not there', async () => {
    await writeFile(at('model.safetensors'), writeSafetensors(tensors).subarray(0, -1));
    await expect(locateTensors(at('model.safetensors'))).rejects.toThrow(CheckpointError);
    await expect(locateTensors(at('none'))).rejects.toThrow(FileError);
  });
});
