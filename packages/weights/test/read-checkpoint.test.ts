import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { object, readOptions } from '@dalle-mini/core';
import {
  CheckpointError,
  readCheckpoint,
  readSafetensors,
  toFloat32,
  toInt32,
  whichField,
  writeFlaxMsgpack,
  writeSafetensors,
} from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectRefusal, fixture, fixturePath } from './checkpoint-files.js';

/** Files of the original libraries, the format that they are read as, and the file with what they hold. */
const files = [
  ['python.safetensors', 'safetensors', 'python.safetensors'],
  ['flax-float32.msgpack', 'flax', 'flax-float32.expected.safetensors'],
  ['flax-float16.msgpack', 'flax', 'flax-float16.expected.safetensors'],
  ['flax-bfloat16.msgpack', 'flax', 'flax-bfloat16.expected.safetensors'],
  ['flax-chunked.msgpack', 'flax', 'flax-chunked.expected.safetensors'],
  ['flax-state.msgpack', 'flax', 'flax-state.expected.safetensors'],
  ['torch-state-dict.pt', 'pytorch', 'torch-state-dict.expected.safetensors'],
  ['torch-state-dict.legacy.pt', 'pytorch', 'torch-state-dict.expected.safetensors'],
  ['torch-lightning.pt', 'pytorch', 'torch-lightning.expected.safetensors'],
  ['torch-lightning.legacy.pt', 'pytorch', 'torch-lightning.expected.safetensors'],
  ['torch-lightning-protocol-3.ckpt', 'pytorch', 'torch-lightning.expected.safetensors'],
  ['torch-lightning-protocol-4.ckpt', 'pytorch', 'torch-lightning.expected.safetensors'],
  ['torch-lightning-protocol-5.ckpt', 'pytorch', 'torch-lightning.expected.safetensors'],
  ['torch-training.pt', 'pytorch', 'torch-training.expected.safetensors'],
  ['torch-average.pt', 'pytorch', 'torch-average.expected.safetensors'],
  ['torch-lit-ema.ckpt', 'pytorch', 'torch-lit-ema.expected.safetensors'],
  ['torch-script.pt', 'pytorch', 'torch-script.expected.safetensors'],
  ['torch-protocol-1.pt', 'pytorch', 'torch-protocol.expected.safetensors'],
  ['torch-protocol-1.legacy.pt', 'pytorch', 'torch-protocol.expected.safetensors'],
  ['torch-protocol-3.legacy.pt', 'pytorch', 'torch-protocol.expected.safetensors'],
  ['torch-protocol-4.legacy.pt', 'pytorch', 'torch-protocol.expected.safetensors'],
  ['torch-protocol-5.legacy.pt', 'pytorch', 'torch-protocol.expected.safetensors'],
  ['torch-float8.pt', 'pytorch', 'torch-float8.expected.safetensors'],
  ['torch-float8.legacy.pt', 'pytorch', 'torch-float8.expected.safetensors'],
  ['python-float8.safetensors', 'safetensors', 'python-float8.safetensors'],
] as const;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe.each(files)('%s', (name, format, expectedName) => {
  const expected = readSafetensors(fixture(expectedName)).tensors;

  test('is read from memory, value by value', () => {
    const read = readCheckpoint(fixture(name));
    expect(read.format).toBe(format);
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...expected].sort()));
  });

  test('is read from a file to the same, whatever its name', async () => {
    await copyFile(fixturePath(name), join(folder, 'model'));
    expect(await readCheckpointFile(join(folder, 'model'))).toEqual(readCheckpoint(fixture(name)));
  });

  test('is refused wherever it is cut', () => {
    const whole = fixture(name);
    for (let length = 0; length < whole.byteLength; length++) {
      expect(() => readCheckpoint(whole.subarray(0, length)), `${length} bytes`).toThrow(CheckpointError);
    }
  });
});

test('has a test for every fixture', async () => {
  const names = (await readdir(fixturePath('.'))).filter((name) => !name.includes('.expected.'));
  expect(names.sort()).toEqual(files.map(([name]) => name as string).sort());
});

describe('of PyTorch', () => {
  const { tensors } = readCheckpoint(fixture('torch-state-dict.pt'));

  test('tied tensors share their memory', async () => {
    expect(tensors.get('tied')!.bytes.byteOffset).toBe(tensors.get('conv.weight')!.bytes.byteOffset);
    const read = await readCheckpointFile(fixturePath('torch-state-dict.pt'));
    expect(read.tensors.get('tied')!.bytes).toBe(read.tensors.get('conv.weight')!.bytes);
    expect(read.tensors.get('tied.flat')!.bytes).toBe(read.tensors.get('conv.weight')!.bytes);
  });

  test('a part of a storage is read without the rest', async () => {
    const read = await readCheckpointFile(fixturePath('torch-state-dict.pt'));
    expect(read.tensors.get('part')!.bytes.buffer.byteLength).toBe(4 * 4);
  });

  test('contiguous tensors are views of the file, and transposed ones copies in row-major order', () => {
    const whole = fixture('torch-state-dict.pt');
    const read = readCheckpoint(whole).tensors;
    expect(read.get('conv.weight')!.bytes.buffer).toBe(whole.buffer);
    const transposed = read.get('transposed')!;
    expect(transposed.bytes.buffer).not.toBe(whole.buffer);
    expect(transposed.shape).toEqual([5, 3]);
    expect(toFloat32(transposed)).toHaveLength(15);
  });

  test("Lightning's numbers and texts beside the state dict are metadata", () => {
    expect(readCheckpoint(fixture('torch-lightning.pt')).metadata).toEqual({
      epoch: '3',
      global_step: '1200',
      'pytorch-lightning_version': '1.2.10',
    });
  });
});

describe('of a training program', () => {
  const read = (name: string, which?: 'model' | 'ema') => readCheckpoint(fixture(name), { which });
  const expected = (name: string) =>
    new Map([...readSafetensors(fixture(`${name}.expected.safetensors`)).tensors].sort());

  test('the model is read, and what is left out is listed', () => {
    expect(read('torch-training.pt').leftOut.toSorted()).toEqual(['args', 'optimizer', 'rng']);
    expect(read('torch-training.pt').metadata).toEqual({ steps: '7' });
    expect(read('torch-average.pt').leftOut).toEqual(['ema', 'discriminator', 'optimizer']);
    expect(read('torch-average.pt', 'model').tensors).toEqual(read('torch-average.pt').tensors);
  });

  test.each(['torch-average.pt', 'torch-lit-ema.ckpt'])('the average of %s is read if it is wanted', async (name) => {
    const { tensors, leftOut } = read(name, 'ema');
    expect(new Map([...tensors].sort())).toEqual(expected(`${name.replace(/\.\w+$/, '')}-ema`));
    expect(leftOut.some((key) => /optimizer/.test(key))).toBe(true);
    expect((await readCheckpointFile(fixturePath(name), { which: 'ema' })).tensors).toEqual(tensors);
  });

  test("LitEma's names are left out where the model is wanted", () => {
    const { tensors, leftOut } = read('torch-lit-ema.ckpt', 'model');
    expect([...tensors.keys()].filter((name) => name.startsWith('model_ema'))).toEqual([]);
    expect(tensors.size).toBe(7);
    expect(leftOut).toContain('model_ema');
  });

  test('functions that open models read the option by the same field', () => {
    const read = (which: unknown) => readOptions(object({ which: whichField }), { which }, 'open');
    expect([read('ema'), read(undefined)]).toEqual([{ which: 'ema' }, {}]);
    expect(() => read('best')).toThrow('which must be "model" or "ema", not "best"');
  });

  test('an average that is not there is told, with what is', () => {
    expect(() => read('torch-training.pt', 'ema')).toThrow(
      /^The file has no average of the weights \(EMA\)\. It has .*Set which to "model"\.$/,
    );
    expect(() => read('python.safetensors', 'ema')).toThrow('has no average');
    expect(() => read('torch-training.pt', 'best' as never)).toThrow('which must be "model" or "ema", not "best"');
  });
});

test('8-bit floats of all four kinds have the values of PyTorch', () => {
  const values = readSafetensors(fixture('float8-values.expected.safetensors')).tensors;
  for (const file of ['torch-float8.pt', 'python-float8.safetensors']) {
    const { tensors } = readCheckpoint(fixture(file));
    for (const [name, value] of values) {
      expect(toFloat32(tensors.get(name)!), name).toEqual(toFloat32(value));
      expect(() => toInt32(tensors.get(name)!)).toThrow('must have an integer dtype');
    }
  }
  const { tensors } = readCheckpoint(fixture('python-float8.safetensors'));
  expect(Buffer.from(writeSafetensors(tensors)).equals(fixture('python-float8.safetensors'))).toBe(true);
  expect(readCheckpoint(writeFlaxMsgpack(tensors)).tensors).toEqual(tensors);
});

describe('of Flax', () => {
  test('arrays are views of the file, but for those that were split', () => {
    const whole = fixture('flax-chunked.msgpack');
    const { tensors } = readCheckpoint(whole);
    expect(tensors.get('bias')!.bytes.buffer).toBe(whole.buffer);
    expect(tensors.get('shared/embedding')!.bytes.buffer).not.toBe(whole.buffer);
  });

  test('numbers, flags and texts among the arrays are metadata, and None is left out', () => {
    expect(readCheckpoint(fixture('flax-state.msgpack')).metadata).toEqual({
      step: '12',
      rate: '0.5',
      done: 'false',
      text: 'adam',
    });
  });
});

describe('what is often found in the place of a checkpoint is told apart:', () => {
  test.each<[string, string | number[], RegExp]>([
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0', /git lfs pull/],
    ['a web page', '<!DOCTYPE html><html lang="en"></html>', /web page/],
    ['a web page after white space', '\n\n  <html><head></head></html>', /web page/],
    ['an answer in XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /web page/],
    ['an answer in JSON', '{"error":"Repository not found"}', /JSON, not a checkpoint/],
    ['an index', '{\n  "metadata": {"total_size": 4}, "weight_map": {}}', /index of a checkpoint in several files/],
    ['a file of llama.cpp', 'GGUF\x03\0\0\0\0\0', /GGUF/],
    ['an array of NumPy', [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0], /NumPy/],
    ['a graph of ONNX', [8, 7, 0x12, 7, 0x70, 0x79, 0x74, 0x6f, 0x72, 0x63, 0x68], /ONNX/],
    ['a tar archive', `${'a'.repeat(257)}ustar`, /tar archive.*PyTorch before 0\.1\.10/],
    ['a file of gzip', [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], /gzip/],
    ['a file of HDF5', [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], /HDF5/],
    ['a plain pickle', [0x80, 4, 0x7d, 0x2e], /pickle that torch.save did not write/],
    ['text', 'a checkpoint of some other kind', /not a safetensors file/],
    ['nothing', '', /^The file is empty/],
  ])('%s', (_, content, message) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);
    expectRefusal(bytes, message);
  });
});
