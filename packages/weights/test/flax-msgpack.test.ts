import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CheckpointError,
  fromFloat32,
  readCheckpoint,
  type StoredTensor,
  toFloat32,
  writeFlaxMsgpack,
} from '@dalle-mini/weights';
import { writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { describe, expect, test } from 'vitest';
import { bytesOf, expectRefusal, fixture } from './checkpoint-files.js';

const one = fromFloat32(Float32Array.of(1), [1]);

describe('writeFlaxMsgpack', () => {
  test.each(['flax-float32', 'flax-float16', 'flax-bfloat16'])(
    'gives the bytes of Flax for what was read from %s',
    (name) => {
      const file = fixture(`${name}.msgpack`);
      expect(writeFlaxMsgpack(readCheckpoint(file).tensors)).toEqual(file);
    },
  );

  test('splits large arrays as Flax does, byte by byte', () => {
    // The fixture was written by Flax with its limit set to 100 bytes.
    const file = fixture('flax-chunked.msgpack');
    expect(writeFlaxMsgpack(readCheckpoint(file).tensors, { chunkBytes: 100 })).toEqual(file);
  });

  test('writes to a file what it returns', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weights-'));
    const { tensors } = readCheckpoint(fixture('flax-float32.msgpack'));
    await writeFlaxCheckpointFile(join(folder, 'flax_model.msgpack'), tensors);
    expect(new Uint8Array(await readFile(join(folder, 'flax_model.msgpack')))).toEqual(writeFlaxMsgpack(tensors));
    await rm(folder, { recursive: true });
  });

  test.each([1, 15, 16, 31, 32, 255, 256])(
    'is read again, with %i tensors, as many elements and long names',
    (count) => {
      const tensors = new Map<string, StoredTensor>();
      for (let i = 0; i < count; i++) tensors.set(`layer ${'x'.repeat(Math.min(count, 300))} ${i}`, one);
      tensors.set('wide', fromFloat32(new Float32Array(count), [1, count]));
      expect(readCheckpoint(writeFlaxMsgpack(tensors)).tensors).toEqual(tensors);
    },
  );

  test.each<[string, Map<string, StoredTensor>, RegExp]>([
    ['no tensors', new Map(), /no tensors/],
    [
      'a tensor in the place of a map',
      new Map([
        ['a/b', one],
        ['a', one],
      ]),
      /both a tensor and a map/,
    ],
    [
      'a map in the place of a tensor',
      new Map([
        ['a', one],
        ['a/b/c', one],
      ]),
      /both a tensor and a map/,
    ],
    ['bytes that do not fit', new Map([['a', { ...one, shape: [2] }]]), /Tensor "a" has 4 bytes/],
    ['names of prototypes', new Map([['a/__proto__/b', one]]), /must not contain __proto__/],
    ['names that nest too deep', new Map([['a/'.repeat(70), one]]), /must have at most 63 parts/],
    ['names without end', new Map([['a'.repeat(600), one]]), /600 characters/],
  ])('refuses %s', (_, tensors, message) => {
    expect(() => writeFlaxMsgpack(tensors)).toThrow(CheckpointError);
    expect(() => writeFlaxMsgpack(tensors)).toThrow(message);
  });

  test.each([0, 7, 8.5, 2 ** 30 + 1, Number.NaN])('refuses chunks of %d bytes', (chunkBytes) => {
    expect(() => writeFlaxMsgpack(new Map([['a', one]]), { chunkBytes })).toThrow(
      'chunkBytes must be a whole number from 8 to 1073741824, not',
    );
  });
});

/** An array under the key "w": its shape, dtype and data as msgpack, in an extension of type `extension`. */
function file(shape: ArrayLike<number>, dtype = 'float32', data = bytesOf(0xc4, 4, 0, 0, 0x80, 0x3f), extension = 1) {
  const content = bytesOf(0x93, shape, 0xa0 | dtype.length, dtype, data);
  return bytesOf(0x81, 0xa1, 'w', 0xc7, content.length, extension, content);
}

const uint64 = (value: bigint) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  return bytesOf(0xcf, new Uint8Array(view.buffer));
};

describe('a file of Flax', () => {
  test('has the form that these tests take from it', () => {
    const { tensors } = readCheckpoint(file([0x91, 1]));
    expect(toFloat32(tensors.get('w')!)).toEqual(Float32Array.of(1));
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['data that are shorter than the shape', file([0x91, 2]), /has 4 bytes, but F32 of shape \[2\] takes 8/],
    ['a negative axis', file([0x91, 0xff]), /axes whose sizes are whole numbers of at least 0, not -1/],
    ['2^60 elements', file(bytesOf(0x91, uint64(2n ** 60n))), /whole number in the shape/],
    ['2^52 · 2^52 elements', file(bytesOf(0x92, uint64(2n ** 52n), uint64(2n ** 52n))), /more elements than a file/],
    ['an axis that is no number', file([0x91, 0xa1, 0x31]), /whole number in the shape/],
    [
      'a fraction of an axis',
      file([0x91, 0xca, 0x3f, 0, 0, 0]),
      /axes whose sizes are whole numbers of at least 0, not 0.5/,
    ],
    ['an axis of text', file([0xa1, 0x31]), /the shape of Array "w"/],
    ['100 axes', file(bytesOf(0xdc, 0, 100, new Uint8Array(100).fill(1))), /at most 64 axes, not 100/],
    ['a dtype of NumPy that is not known', file([0x91, 1], 'complex64'), /one of the dtypes bool, .* not "complex64"/],
    ['a dtype that is a name of JavaScript', file([0x91, 1], 'constructor'), /dtypes .* not "constructor"/],
    ['a complex number', file([0x91, 1], 'float32', undefined, 2), /extension type .* not 2/],
    [
      'data that announce 4 GB',
      file([0x91, 1], 'float32', bytesOf(0xc6, 0xff, 0xff, 0xff, 0xff)),
      /has 4294967295 bytes/,
    ],
    [
      'data of 4 GB, and a shape that agrees',
      file(bytesOf(0x91, 0xce, 0x3f, 0xff, 0xff, 0xff), 'float32', bytesOf(0xc6, 0xff, 0xff, 0xff, 0xfc)),
      /announces 4294967292 bytes, but only 0 follow/,
    ],
    ['data that are no bytes', file([0x91, 1], 'float32', bytesOf(0x01)), /the bytes of Array "w"/],
    [
      'an extension that is longer than its array',
      bytesOf(file([0x91, 1]).with(4, 30), new Uint8Array(9)),
      /announces byte/,
    ],
    ['bytes behind the parameters', bytesOf(file([0x91, 1]), 0), /1 bytes follow the parameters/],
    ['a key that is no text', bytesOf(0x81, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01), /text as a key/],
    ['a key twice', bytesOf(0x82, file([0x91, 1]).subarray(1), file([0x91, 1]).subarray(1)), /"w" appears twice/],
    ['a key of a prototype', bytesOf(0x81, 0xa9, '__proto__', file([0x91, 1])), /must not contain __proto__/],
    ['a key that is not UTF-8', bytesOf(0x81, 0xa2, 0xc3, 0x28, 0x01, 0x01, 0x01, 0x01), /not UTF-8/],
    ['a key of 4 GB', bytesOf(0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, 'key'), /4294967295 bytes, but only 3 follow/],
    ['2^32 - 1 entries', bytesOf(0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 'a', 0xc0), /only 0 follow/],
    ['bytes as a value', bytesOf(0x81, 0xa1, 'w', 0xc4, 2, 1, 2), /the msgpack type 0xc4/],
    ['the type that msgpack never uses', bytesOf(0x81, 0xa1, 'w', 0xc1, 0, 0, 0, 0), /the msgpack type 0xc1/],
    ['maps nested a million deep', bytesOf(Buffer.alloc(3_000_000, Buffer.of(0x81, 0xa1, 0x61))), /at most 64 levels/],
    [
      'lists nested a million deep',
      bytesOf(0x81, 0xa1, 'a', new Uint8Array(1_000_000).fill(0x91)),
      /at most 64 levels/,
    ],
    [
      'ten million empty maps',
      bytesOf(0x81, 0xa1, 'a', 0xdd, 0, 0x98, 0x96, 0x80, new Uint8Array(10_000_000).fill(0x80)),
      /at most 1600000 values/,
    ],
    [
      'a million numbers',
      bytesOf(0x81, 0xa1, 'a', 0xdd, 0, 0x0f, 0x42, 0x40, new Uint8Array(1_000_000)),
      /at most 100000 entries/,
    ],
    ['no array', bytesOf(0x81, 0xa4, 'none', 0xc0, 0xc0), /bytes follow the parameters/],
  ])('is refused with %s', (_, bytes, message) => {
    expectRefusal(bytes, message);
  });

  const chunked = (fields: number, ...parts: (number | string | Uint8Array)[]) =>
    bytesOf(0x81, 0xa1, 'w', 0x80 | fields, 0xb9, '__msgpack_chunked_array__', 0xc3, ...parts);
  const shape = bytesOf(0xa5, 'shape', 0x81, 0xa1, '0', 1);
  const array = file([0x91, 1]).subarray(3);

  test('may hold arrays in chunks', () => {
    const bytes = chunked(
      3,
      bytesOf(0xa5, 'shape', 0x82, 0xa1, '0', 2, 0xa1, '1', 1),
      0xa6,
      'chunks',
      0x82,
      0xa1,
      '0',
      array,
      0xa1,
      '1',
      array,
    );
    expect(readCheckpoint(bytes).tensors.get('w')).toMatchObject({ shape: [2, 1] });
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['the chunks', chunked(3, shape, shape), /lacks its shape or its chunks/],
    [
      'the shape',
      chunked(3, 0xa6, 'chunks', 0x81, 0xa1, '0', array, 0xa6, 'chunks', 0x81, 0xa1, '0', array),
      /lacks its shape/,
    ],
    ['a chunk', chunked(3, shape, 0xa6, 'chunks', 0x81, 0xa1, '1', array), /lacks part 0 of 1/],
    ['any chunk', chunked(3, shape, 0xa6, 'chunks', 0x80), /lacks its shape or its chunks/],
    ['a field', chunked(2, shape), /not the first of three/],
    [
      'elements',
      chunked(3, bytesOf(0xa5, 'shape', 0x81, 0xa1, '0', 2), 0xa6, 'chunks', 0x81, 0xa1, '0', array),
      /takes 8/,
    ],
    [
      'one dtype',
      chunked(3, shape, 0xa6, 'chunks', 0x82, 0xa1, '0', array, 0xa1, '1', file([0x91, 4], 'int8').subarray(3)),
      /F32 and of I8/,
    ],
  ])('is refused with chunks that lack %s', (_, bytes, message) => {
    expectRefusal(bytes, message);
  });
});
