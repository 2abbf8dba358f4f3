import { readFileSync } from 'node:fs';
import {
  CheckpointError,
  fromFloat32,
  fromInt32,
  readSafetensors,
  type StoredTensor,
  toFloat32,
  toInt32,
  writeSafetensors,
} from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';
import { uniform } from './random.js';

const reference = new Uint8Array(readFileSync(new URL('fixtures/python.safetensors', import.meta.url)));

/** A file with this header, valid or not, and `dataLength` bytes of data. */
function file(header: string, dataLength = 0, headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('a file of the reference implementation', () => {
  const { tensors, metadata } = readSafetensors(reference);
  const get = (name: string) => tensors.get(name)!;

  test('is read in every dtype', () => {
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.size).toBe(14);
    expect([...toFloat32(get('float32'))]).toEqual([-1.5, 0, 0.1, 3, 65504, 1e-7].map(Math.fround));
    expect([...toFloat32(get('float64'))]).toEqual([...toFloat32(get('float32'))]);
    expect([...toFloat32(get('float16'))]).toEqual([-1.5, 0, 0.0999755859375, 3, 65504, 1.1920928955078125e-7]);
    expect([...toFloat32(get('bfloat16'))]).toEqual([-1.5, 0, 0.10009765625, 3, 65536, 1.0011717677116394e-7]);
    for (const name of ['int64', 'int32', 'int16', 'int8']) {
      expect([...toInt32(get(name))]).toEqual([-100, -1, 0, 1, 2, 127]);
    }
    expect([...toInt32(get('uint8'))]).toEqual([0, 1, 255]);
    expect([...toInt32(get('bool'))]).toEqual([1, 0, 1]);
    expect(get('scalar').shape).toEqual([]);
    expect(get('empty')).toMatchObject({ shape: [0, 4], bytes: new Uint8Array() });
    expect(get('quote " and snow ☃').shape).toEqual([1]);
  });

  test('is written again byte by byte, whatever the order of the tensors', () => {
    expect(writeSafetensors(tensors, metadata)).toEqual(reference);
    expect(writeSafetensors(new Map([...tensors].reverse()), metadata)).toEqual(reference);
  });

  test('is read without a copy', () => {
    expect([...tensors.values()].every((tensor) => tensor.bytes.buffer === reference.buffer)).toBe(true);
  });

  test('may hold its 16-bit values as this package rounds them', () => {
    const values = toFloat32(get('float64'));
    expect(fromFloat32(values, [6], 'F16').bytes).toEqual(get('float16').bytes);
    expect(fromFloat32(values, [6], 'BF16').bytes).toEqual(get('bfloat16').bytes);
  });
});

describe('writeSafetensors', () => {
  const one = fromFloat32(Float32Array.of(1), [1]);

  test('starts the data, and every tensor, where the elements are aligned', () => {
    const tensors = new Map<string, StoredTensor>([
      ['a', { dtype: 'U8', shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
      ['b', fromInt32(Int32Array.of(4), [1])],
      ['c', { dtype: 'F64', shape: [1], bytes: new Uint8Array(Float64Array.of(5).buffer) }],
      ['d', fromFloat32(Float32Array.of(6), [1], 'F16')],
    ]);
    const read = readSafetensors(writeSafetensors(tensors)).tensors;
    expect([...read.keys()]).toEqual(['c', 'b', 'd', 'a']);
    const sizes = { c: 8, b: 4, d: 2, a: 1 };
    for (const [name, size] of Object.entries(sizes)) expect(read.get(name)!.bytes.byteOffset % size).toBe(0);
    expect([...toFloat32(read.get('c')!), ...toFloat32(read.get('a')!)]).toEqual([5, 1, 2, 3]);
  });

  test('keeps metadata and accepts a file without tensors', () => {
    const bytes = writeSafetensors(new Map(), { b: 'two\n"', a: '1' });
    expect(readSafetensors(bytes)).toEqual({ tensors: new Map(), metadata: { a: '1', b: 'two\n"' } });
    expect(writeSafetensors(new Map(), { a: '1', b: 'two\n"' })).toEqual(bytes);
  });

  test.each(['__proto__', 'a.__proto__.b', 'layers/constructor', 'prototype', '__metadata__', 'half \ud800'])(
    'refuses the name %j',
    (name) => {
      expect(() => writeSafetensors(new Map([[name, one]]))).toThrow(CheckpointError);
    },
  );

  test('allows names that only resemble them', () => {
    const names = ['constructors', 'proto', '🙂', ''];
    const written = writeSafetensors(new Map(names.map((name) => [name, one])));
    expect([...readSafetensors(written).tensors.keys()].sort()).toEqual([...names].sort());
  });

  test('refuses bytes that do not fit the shape, and names the tensor', () => {
    expect(() => writeSafetensors(new Map([['w', { ...one, shape: [2] }]]))).toThrow(/Tensor "w" has 4 bytes/);
    const long = 'w'.repeat(68_000);
    expect(() => writeSafetensors(new Map([[long, { ...one, shape: [2] }]]))).toThrow(
      /^.{0,300}68000 characters.{0,300}$/,
    );
  });

  test('refuses metadata that is not text', () => {
    expect(() => writeSafetensors(new Map(), { step: 5 as unknown as string })).toThrow(
      /"step" must be a string, not 5/,
    );
  });
});

describe('readSafetensors refuses', () => {
  const tensorW = (body: string, dataLength = 8) => file(`{"w":${body}}`, dataLength);

  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(), /0 bytes, too few/],
    ['a file of 7 bytes', new Uint8Array(7), /7 bytes, too few/],
    ['a header of 2^60 bytes', file('{}', 0, 2n ** 60n), /at most 100000000 bytes, not 1152921504606846976/],
    ['a header of 2^64 - 1 bytes', file('{}', 0, 2n ** 64n - 1n), /not 18446744073709551615/],
    ['a header past the end', file('{}', 0, 3n), /truncated/],
    ['an empty header', file(''), /expected "\{"/],
    ['a header that is not UTF-8', file('{}').map((byte, i) => (i === 9 ? 0xff : byte)), /must be UTF-8/],
    ['a byte order mark', file('\ufeff{}'), /malformed at character 0/],
    ['leading spaces', file(' {}'), /malformed at character 0/],
    ['JSON of another kind', file('[]'), /malformed/],
    ['text after the header', file('{}{}'), /expected nothing more/],
    ['deeply nested JSON', file(`{"w":${deep(1_000_000)}}`), /malformed/],
    ['deeply nested shapes', tensorW(`{"dtype":"F32","shape":${deep(100_000)},"data_offsets":[0,8]}`), /whole number/],
    ['a string without end', file('{"w'), /not valid JSON/],
    ['a string of megabytes without end', file(`{"${'a'.repeat(5_000_000)}`), /not valid JSON/],
    ['duplicate names', file(`{"w":${entry([1], [0, 4])},"w":${entry([1], [4, 8])}}`, 8), /"w" appears twice/],
    ['duplicate names in disguise', file(`{"w":${entry([1], [0, 4])},"\\u0077":${entry([1], [4, 8])}}`, 8), /twice/],
    ['duplicate fields', tensorW('{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}'), /repeated/],
    ['duplicate metadata', file('{"__metadata__":{"a":"1","a":"2"}}'), /"a" appears twice/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" appears twice/],
    ['metadata that is not text', file('{"__metadata__":{"a":1}}'), /expected a string/],
    ['unknown fields', tensorW('{"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":[1]}'), /"stride"/],
    ['missing fields', tensorW('{"dtype":"F32","shape":[2]}'), /must have dtype, shape and data_offsets/],
    ['__proto__ as a name', file(`{"__proto__":${entry([2], [0, 8])}}`, 8), /must not contain __proto__/],
    ['__proto__ within a name', file(`{"a.__proto__.b":${entry([2], [0, 8])}}`, 8), /must not contain __proto__/],
    ['__proto__ in the metadata', file('{"__metadata__":{"__proto__":"x"}}'), /must not contain __proto__/],
    ['an unknown dtype', tensorW(entry([2], [0, 8], 'F8_E8M0')), /one of the dtypes BOOL, .* not "F8_E8M0"/],
    ['a dtype from the prototype', tensorW(entry([2], [0, 8], 'toString')), /one of the dtypes/],
    ['a negative axis', tensorW(entry([-2], [0, 8])), /whole number/],
    ['a fractional axis', tensorW(entry([0.5], [0, 8])), /whole number/],
    ['an axis past 2^53', tensorW('{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,8]}'), /whole number/],
    ['an axis in scientific notation', tensorW('{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}'), /whole number/],
    ['a shape whose product overflows', tensorW(entry([2 ** 30, 2 ** 30], [0, 8])), /more elements than a file/],
    ['an overflow hidden by a zero', tensorW(entry([2 ** 30, 2 ** 30, 0], [0, 0]), 0), /more elements than a file/],
    ['a negative offset', tensorW(entry([2], [-8, 0])), /whole number/],
    ['offsets in reverse', tensorW(entry([2], [8, 0])), /not a \[begin, end\]/],
    ['offsets past the data', tensorW(entry([4], [0, 16])), /not a \[begin, end\] within the 8 bytes/],
    ['one offset', tensorW(entry([2], [8])), /not a \[begin, end\]/],
    ['three offsets', tensorW(entry([2], [0, 8, 8])), /not a \[begin, end\]/],
    [
      'a size that disagrees with the shape',
      tensorW(entry([3], [0, 8])),
      /spans 8 bytes, but F32 of shape \[3\] takes 12/,
    ],
    ['overlapping tensors', file(`{"a":${entry([2], [0, 8])},"b":${entry([2], [4, 12])}}`, 12), /"b".*overlaps/],
    ['tensors on the same bytes', file(`{"a":${entry([2], [0, 8])},"b":${entry([2], [0, 8])}}`, 8), /overlaps/],
    ['a gap between tensors', file(`{"a":${entry([1], [0, 4])},"b":${entry([1], [8, 12])}}`, 12), /leaves a gap/],
    ['a gap at the start', tensorW(entry([1], [4, 8])), /leaves a gap/],
    ['bytes after the last tensor', tensorW(entry([2], [0, 8]), 9), /end at byte 8 of the data, but 9/],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(CheckpointError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  test('a file that was cut short anywhere', () => {
    for (let length = 0; length < reference.length; length++) {
      expect(() => readSafetensors(reference.subarray(0, length)), `${length} bytes`).toThrow(CheckpointError);
    }
  });

  test.each(['tensors', 'metadata'])('with more %s than any model has', (kind) => {
    const items = (count: number) => {
      const texts = Array.from({ length: count }, (_, i) => `"${i}":${kind === 'tensors' ? entry([0], [0, 0]) : '""'}`);
      return file(kind === 'tensors' ? `{${texts}}` : `{"__metadata__":{${texts}}}`);
    };
    const most = readSafetensors(items(100_000));
    expect(most.tensors.size + Object.keys(most.metadata).length).toBe(100_000);
    expect(() => readSafetensors(items(100_001))).toThrow(/at most 100000 entries/);
  });

  test('with a short message, however long the fault', () => {
    const long = 'n'.repeat(1_000_000);
    for (const header of [`{"${long}":${entry([3], [0, 8])}}`, `{"${long}":1}`, `{"w":${entry([2], [0, 8], long)}}`]) {
      const length = () => {
        try {
          readSafetensors(file(header, 8));
        } catch (error) {
          return (error as Error).message.length;
        }
        return Number.NaN;
      };
      expect(length()).toBeLessThan(1000);
    }
  });
});

describe('a mutated file', () => {
  const random = uniform(7);
  const below = (limit: number) => Math.floor(random() * limit);
  const headerEnd = 8 + Number(new DataView(reference.buffer, reference.byteOffset).getBigUint64(0, true));
  const fragments = ['{', '}', '[', ']', '"', ',', ':', '-1', '0', '99999999999999999999', '1e9', '\\u0000', '\u0000'];

  const flipBits = () => {
    const bytes = Uint8Array.from(reference);
    for (let n = 1 + below(3); n > 0; n--) bytes[below(headerEnd)]! ^= 1 << below(8);
    return bytes;
  };
  const editHeader = () => {
    const text = new TextDecoder().decode(reference.subarray(8, headerEnd));
    const at = below(text.length);
    const edited = text.slice(0, at) + fragments[below(fragments.length)] + text.slice(at + below(8));
    const start = file(edited);
    const bytes = new Uint8Array(start.length + reference.length - headerEnd);
    bytes.set(start);
    bytes.set(reference.subarray(headerEnd), start.length);
    return bytes;
  };
  const changeNumber = () => {
    const text = new TextDecoder().decode(reference.subarray(8, headerEnd));
    const numbers = [...text.matchAll(/\d+/g)];
    const { index, 0: number } = numbers[below(numbers.length)]!;
    const changed = Number(number) + [-1, 1, 2, 4, 2 ** 32, 2 ** 53][below(6)]!;
    const start = file(text.slice(0, index) + changed + text.slice(index + number.length));
    return Uint8Array.of(...start, ...reference.subarray(headerEnd));
  };

  // A file that is still sound must mean what it says: written again and read again it is the same.
  test.each([
    ['bits flipped in its header', flipBits],
    ['its header edited', editHeader],
    ['a number of its header changed', changeNumber],
  ])('with %s is refused by CheckpointError or read faithfully', (_, mutate) => {
    let refused = 0;
    for (let n = 0; n < 2000; n++) {
      const bytes = mutate();
      try {
        const read = readSafetensors(bytes);
        expect(readSafetensors(writeSafetensors(read.tensors, read.metadata))).toEqual(read);
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(2000);
  });
});
