import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCheckpoint, toFloat32, toInt32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { describe, expect, test } from 'vitest';
import { bytesOf, expectRefusal, fixture, little, pickle, torchFile, type ZipEntry, zip } from './checkpoint-files.js';

const { call, dict, global, integer, program, storage, tensor, text, tuple } = pickle;

const four = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
/** A pickle of the number that begins the legacy format. */
const LEGACY_MAGIC = program(0x8a, 10, bytesOf(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19));
const MARK = '(';
const POP = '0';

/** A file whose state dict has, under "w", what `value` builds, and the storage "0" of four float32. */
const fileOf = (value: Uint8Array) => torchFile(program(dict(text('w'), value)), { 0: four });
const weights = tensor(storage('0', 4), [4], [1]);
const evil = call(global('posix', 'system'), text('echo run'));

describe('a file of torch.save', () => {
  test('has the form that these tests take from it', () => {
    const { tensors } = readCheckpoint(fileOf(tensor(storage('0', 4), [2, 2], [1, 2])));
    expect(toFloat32(tensors.get('w')!)).toEqual(Float32Array.of(1, 3, 2, 4));
  });

  test('may nest dicts and lists, whose keys are joined by dots', () => {
    const value = dict(
      text('a'),
      tuple(tensor(storage('0', 4), [1], [1]), text('adam')),
      integer(7),
      integer(2n ** 60n),
    );
    const { tensors, metadata } = readCheckpoint(fileOf(value));
    expect([...tensors.keys()]).toEqual(['w.a.0']);
    expect(metadata).toEqual({ 'w.a.1': 'adam', 'w.7': '1152921504606846976' });
  });

  test('may be of Python 2: texts of bytes, and an OrderedDict of pairs', () => {
    const name = bytesOf('U', 1, 'w');
    const pairs = bytesOf(']', MARK, tuple(name, tensor(storage('0', 4), [4], [1])), 'e');
    const read = readCheckpoint(torchFile(program(call(global('collections', 'OrderedDict'), pairs)), { 0: four }));
    expect(read.tensors.get('w')!.shape).toEqual([4]);
  });

  test('may have unknown objects beside a state dict, which are not built', () => {
    const content = dict(
      text('state_dict'),
      dict(text('w'), tensor(storage('0', 4), [4], [1])),
      text('callbacks'),
      bytesOf(evil, MARK, text('key'), integer(1), 'u', '}b'),
    );
    const { tensors, metadata } = readCheckpoint(torchFile(program(content), { 0: four }));
    expect([...tensors.keys()]).toEqual(['w']);
    expect(metadata).toEqual({});
  });

  test('may leave axes of size 1 and empty tensors with any strides', () => {
    const one = readCheckpoint(fileOf(tensor(storage('0', 4), [1, 4], [77, 1]))).tensors.get('w')!;
    expect(toFloat32(one)).toEqual(Float32Array.of(1, 2, 3, 4));
    const none = readCheckpoint(fileOf(tensor(storage('0', 4), [0, 2 ** 40], [5, 5], 99))).tensors.get('w')!;
    expect(none).toMatchObject({ shape: [0, 2 ** 40], bytes: new Uint8Array() });
  });

  test('may be of 64-bit fields throughout', () => {
    const content = program(dict(text('w'), tensor(storage('0', 2, 'LongStorage'), [2], [1])));
    const values = new Uint8Array(BigInt64Array.of(5n, -6n).buffer);
    const files: ZipEntry[] = [
      { name: 'archive/data.pkl', content },
      { name: 'archive/data/0', content: values },
    ];
    const second = 30 + 'archive/data.pkl'.length + content.length;
    const bytes = zip([
      { ...files[0]!, zip64: { size: BigInt(content.length), position: 0n } },
      { ...files[1]!, zip64: { size: 16n, position: BigInt(second) } },
    ]);
    expect(toInt32(readCheckpoint(bytes).tensors.get('w')!)).toEqual(Int32Array.of(5, -6));
    // The directory's own place in 64-bit fields as well.
    const end = bytes.length - 22;
    const directory = second + 30 + 'archive/data/0'.length + 16;
    const zip64End = bytesOf(
      bytesOf('PK\x06\x06', little(44, 8), new Uint8Array(12), little(2, 8), little(2, 8)),
      little(end - directory, 8),
      little(directory, 8),
    );
    const locator = bytesOf('PK\x06\x07', little(0, 4), little(end, 8), little(1, 4));
    const pointing = bytesOf('PK\x05\x06', new Uint8Array(4), new Uint8Array(12).fill(0xff), little(0, 2));
    const whole = bytesOf(bytes.subarray(0, end), zip64End, locator, pointing);
    expect(toInt32(readCheckpoint(whole).tensors.get('w')!)).toEqual(Int32Array.of(5, -6));
    expectRefusal(bytesOf(bytes.subarray(0, end), zip64End, pointing), /64-bit fields that are not there/);
    expectRefusal(
      bytesOf(bytes.subarray(0, end), zip64End, locator.with(15, 0x7f), pointing),
      /more than a file can have/,
    );
  });
});

test('a tensor past 4 GB of a legacy file is read without what lies before it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weights-'));
  const path = join(folder, 'large');
  const elements = 5 * 2 ** 28;
  const value = tensor(storage('7', elements), [4], [1], elements - 4);
  const head = bytesOf(
    LEGACY_MAGIC,
    program(bytesOf('M', little(1001, 2))),
    program(dict(text('little_endian'), bytesOf(0x88))),
    program(dict(text('w'), value)),
    program(']', MARK, text('7'), 'e'),
    little(elements, 8),
  );
  const file = await open(path, 'w');
  try {
    await file.write(head);
    // What is not written takes no room on the disk.
    await file.write(four, 0, 16, head.length + 4 * elements - 16);
    const { tensors } = await readCheckpointFile(path);
    expect(toFloat32(tensors.get('w')!)).toEqual(Float32Array.of(1, 2, 3, 4));
  } finally {
    await file.close();
    await rm(folder, { recursive: true });
  }
});

describe('names that a state dict does not need are refused by name', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['in the place of a tensor', fileOf(evil), /calls posix\.system, which/],
    ['thrown away', torchFile(program(evil, POP, dict())), /posix\.system/],
    ['as the whole', torchFile(program(evil)), /posix\.system/],
    ['named, and not called', fileOf(global('builtins', 'eval')), /builtins\.eval/],
    ['by text on the stack', fileOf(bytesOf(text('os'), text('system'), 0x93)), /os\.system/],
    ['as a class', fileOf(bytesOf(global('__main__', 'Model'), ')', 0x81)), /__main__\.Model/],
    ['a class with keywords', fileOf(bytesOf(global('__main__', 'Model'), ')}', 0x92)), /__main__\.Model/],
    ['several', fileOf(bytesOf(evil, POP, global('a', 'b'))), /posix\.system \(and 1 others\)/],
    [
      'one that resembles a known one',
      fileOf(call(global('torch', '_utils._rebuild_tensor_v2 '))),
      /"torch\._utils\._rebuild_tensor_v2 ",/,
    ],
    [
      'within the state dict of Lightning',
      torchFile(program(dict(text('state_dict'), dict(text('w'), evil)))),
      /"w" of the state dict must be .* not posix\.system/,
    ],
    [
      'a model as a whole',
      torchFile(program(call(global('dalle', 'VQModel')))),
      /an object of dalle\.VQModel.*model\.state_dict\(\)/,
    ],
    ['a name of two lines', fileOf(call(bytesOf(text('a'), text('b\nc'), 0x93))), /calls "a\.b\\nc", which/],
    ['a name without end', fileOf(bytesOf('c', 'x'.repeat(1e6))), /a name without an end/],
  ])('%s', (_, bytes, message) => {
    expectRefusal(bytes, message);
  });
});

describe('what a training program saved', () => {
  const read = (value: Uint8Array, which?: 'model' | 'ema') =>
    readCheckpoint(torchFile(program(value), { 0: four }), { which });
  const model = dict(text('w'), weights);
  const other = dict(text('w'), tensor(storage('0', 4), [2], [1]));

  test.each(['model', 'state_dict', 'model_state_dict', 'module', 'params'])('is read from %s', (key) => {
    const { tensors, leftOut } = read(
      dict(text('optimizer'), dict(text('state'), other), text(key), model, text('args'), evil),
    );
    expect([...tensors.keys()]).toEqual(['w']);
    expect(tensors.get('w')!.shape).toEqual([4]);
    expect(leftOut).toEqual(['optimizer', 'args']);
  });

  test.each(['ema', 'params_ema', 'ema_state_dict', 'model_ema'])('has its average in %s', (key) => {
    const value = dict(text('params'), model, text(key), other);
    expect(read(value, 'ema').tensors.get('w')!.shape).toEqual([2]);
    expect(read(value).tensors.get('w')!.shape).toEqual([4]);
    expect(read(dict(text(key), other)).tensors.get('w')!.shape).toEqual([2]);
  });

  test('keeps the keys of parts that only their names tell apart, but not those of training', () => {
    const value = dict(text('vae'), model, text('unet'), other, text('optimizer'), other, text('cfg'), evil);
    const { tensors, leftOut } = read(value);
    expect([...tensors.keys()]).toEqual(['vae.w', 'unet.w']);
    expect(leftOut).toEqual(['optimizer', 'cfg']);
  });

  describe('an average that is a list, as of torch-ema and diffusers,', () => {
    const long = tensor(storage('0', 4), [4], [1]);
    const short = tensor(storage('0', 4), [2], [1]);
    const buffer = tensor(storage('0', 4), [1], [1], 1);
    const named = dict(text('a.weight'), short, text('a.running_mean'), buffer, text('b'), weights);
    const list = (...tensors: Uint8Array[]) => bytesOf(']', '(', ...tensors, 'e');
    const average = (...tensors: Uint8Array[]) =>
      dict(text('decay'), integer(1), text('shadow_params'), list(...tensors), text('collected_params'), 'N');
    const shapes = (value: Uint8Array) => [...read(value, 'ema').tensors].map(([name, { shape }]) => [name, ...shape]);
    const expected = [
      ['a.weight', 2],
      ['b', 4],
    ];

    test('gets the names of the model next to it, without its buffers', () => {
      expect(shapes(dict(text('model'), named, text('ema'), average(short, long)))).toEqual(expected);
      expect(shapes(dict(text('unet'), named, text('ema_state'), average(short, long)))).toEqual(expected);
      expect(shapes(dict(text('state_dict'), named, text('shadow_params'), list(short, long)))).toEqual(expected);
    });

    test.each([
      ['of another number', average(short)],
      ['of other shapes', average(long, short)],
    ])('is refused by its name if it is %s', (_, wrong) => {
      const value = dict(text('model'), named, text('ema'), wrong);
      expect(() => read(value, 'ema')).toThrow(/"ema\.shadow_params" is a list without names.*copy_to/);
      expect([...read(value).tensors.keys()]).toEqual(['a.weight', 'a.running_mean', 'b']);
    });

    test('is refused by its name if there is no model', () => {
      expect(() => read(average(short, long))).toThrow('"shadow_params" is a list without names');
      expect(() => read(dict(text('ema'), average(short, long)))).toThrow('"ema.shadow_params" is a list');
    });
  });

  test('of AveragedModel is an average as a whole', () => {
    const averaged = dict(text('n_averaged'), tensor(storage('0', 4), [], []), text('module.w'), weights);
    expect([...read(averaged, 'ema').tensors.keys()]).toEqual(['module.w']);
    expect(() => read(dict(), 'ema')).toThrow('It has no tensors.');
  });

  test('by Lightning has the average as its state dict, and the model next to it', () => {
    const value = dict(
      text('state_dict'),
      other,
      text('current_model_state'),
      model,
      text('averaging_state'),
      dict(text('n_averaged'), integer(3)),
    );
    const shape = (which?: 'model' | 'ema') => read(value, which).tensors.get('w')!.shape;
    expect([shape(), shape('ema'), shape('model')]).toEqual([[2], [2], [4]]);
  });

  test('refuses a model as a whole within it', () => {
    expect(() => read(dict(text('model'), evil, text('epoch'), integer(1)))).toThrow(/posix\.system/);
  });
});

test('the code of TorchScript is not read, and may be compressed; nothing else may', () => {
  const script = (names: [string, number][]) =>
    zip([
      { name: 'a/data.pkl', content: program(dict(text('w'), weights)) },
      { name: 'a/data/0', content: four },
      ...names.map(([name, method]) => ({ name, content: bytesOf('x'), method })),
    ]);
  expect(readCheckpoint(script([['a/code/__torch__.py', 8]])).tensors.size).toBe(1);
  expectRefusal(script([['a/data/1', 8]]), /is compressed/);
});

test('quantized and sparse tensors are named', () => {
  expectRefusal(fileOf(call(global('torch._utils', '_rebuild_qtensor'))), /_rebuild_qtensor/);
  const inModel = (name: string) =>
    torchFile(program(dict(text('model'), dict(text('w'), weights, text('q'), call(global('torch._utils', name))))), {
      0: four,
    });
  expectRefusal(inModel('_rebuild_qtensor'), /tensor\.dequantize\(\)/);
  expectRefusal(inModel('_rebuild_sparse_tensor'), /tensor\.to_dense\(\)/);
});

describe('a pickle is refused with', () => {
  const repeat = (count: number, code: string) => Buffer.alloc(count * code.length, code, 'latin1');

  test.each<[string, Uint8Array, RegExp]>([
    ['no dict', torchFile(program(integer(1))), /must hold a dict of tensors, not the number 1/],
    [
      'a tensor alone',
      torchFile(program(tensor(storage('0', 4), [4], [1])), { 0: four }),
      /must hold a dict of tensors, not a tensor/,
    ],
    ['a dict that contains itself', torchFile(program('}q\x00', text('a'), 'h\x00s')), /at most 64 levels/],
    [
      'lists that double 64 times',
      torchFile(program('}', text('a'), ']', repeat(70, '2\x86'), 's')),
      /at most .* 400000 values/,
    ],
    [
      'nesting a million deep',
      torchFile(program(repeat(400_000, ']'), repeat(399_999, 'a'))),
      /must hold a dict of tensors, not a list/,
    ],
    [
      'dicts a hundred thousand deep',
      torchFile(program(repeat(100_000, '}N'), '}', repeat(100_000, 's'))),
      /must be text or a number, not None/,
    ],
    ['a million dicts', torchFile(program(repeat(1_000_000, '}'))), /at most 1000000 instructions/],
    ['ten million lists', torchFile(program(repeat(10_000_000, ']'))), /at most 1000000 instructions/],
    ['ten million marks', torchFile(program(repeat(10_000_000, MARK))), /at most 1000000 instructions/],
    ['a million values to recall', torchFile(program('}', repeat(2_000_000, '2\x94'))), /at most 1000000 instructions/],
    ['40 MB', torchFile(program(repeat(40_000_000, 'N'))), /at most 33554432 bytes/],
    [
      'one list in many dicts',
      torchFile(
        program(
          bytesOf(MARK, repeat(90_000, '))\x86'), 'lq\x00', POP, repeat(5_000, 'ccollections\nOrderedDict\n(h\x00tR')),
        ),
      ),
      /dicts of more than 100000 pairs/,
    ],
    [
      'one shape in many tensors',
      torchFile(
        program(
          bytesOf(MARK, repeat(300_000, 'K\x00'), 'lq\x00', POP, storage('0', 4), 'q\x01', POP),
          repeat(1_000, 'ctorch._utils\n_rebuild_tensor_v2\n(h\x01K\x00h\x00h\x00tR'),
        ),
        { 0: four },
      ),
      /at most 64 whole numbers/,
    ],
    ['text of 4 GB', torchFile(program('X', little(0xffffffff, 4), 'abc')), /announces 4294967295 bytes/],
    ['text of 2^64 - 1 bytes', torchFile(program(0x8d, little(-1, 8))), /length in the pickle is 18446744073709551615/],
    ['bytes of 4 GB', torchFile(program('B', little(0xffffffff, 4))), /announces 4294967295 bytes/],
    ['text that is not UTF-8', torchFile(program('X', little(1, 4), 0xff)), /not UTF-8/],
    ['nothing on the stack', torchFile(program()), /empty stack/],
    ['values below a mark', torchFile(program('N', MARK, 'a')), /empty stack/],
    ['a mark that was not set', torchFile(program('t')), /closes a mark/],
    ['a value that was not stored', torchFile(program('h\x05')), /reads the memo 5/],
    ['items of what is no dict', torchFile(program('NNNs')), /not a dict/],
    ['a key without a value', torchFile(program('}', MARK, 'Nu')), /a key without a value/],
    ['items for what is no list', torchFile(program('NNa')), /not a list/],
    ['arguments that are no tuple', torchFile(program(global('torch', 'Size'), 'NR')), /not a tuple/],
    ['a name that is no text', torchFile(program('NN', 0x93)), /with something other than text/],
    ['a number of protocol 0 that is none', torchFile(program('Iabc\n')), /has "abc" as a whole number/],
    ['a number of protocol 0 of a megabyte', torchFile(program('L', '1'.repeat(1e6), 'L\n')), /without an end/],
    ['an instance by opcode', torchFile(program(MARK, 'ios\nsystem\n')), /an object of os\.system/],
    ['an instance of a class on the stack', torchFile(program(MARK, global('os', 'system'), 'o')), /os\.system/],
    ['an instance of nothing', torchFile(program('o')), /closes a mark|empty stack/],
    ['tensors of protocol 0', torchFile(bytesOf("P('storage',)\n.")), /protocol 0, with which PyTorch cannot load/],
    ['an extension registry', torchFile(program(0x82, 1)), /opcode 0x82/],
    ['a buffer outside', torchFile(program(0x97)), /opcode 0x97/],
    ['protocol 9', torchFile(bytesOf(0x80, 9, 'N.')), /protocol 9/],
    ['no end', torchFile(bytesOf(0x80, 2, 'N')), /truncated/],
    ['bytes behind its end', torchFile(bytesOf(0x80, 2, '}.N')), /1 bytes follow the pickle/],
    [
      'a key that is a tensor',
      torchFile(program(dict(tensor(storage('0', 4), [4], [1]), 'N')), { 0: four }),
      /must be text or a number, not a tensor/,
    ],
    [
      'a key of a prototype',
      torchFile(program(dict(text('a'), dict(text('__proto__'), integer(1))))),
      /must not contain __proto__/,
    ],
    ['a key twice', torchFile(program(dict(text('a'), integer(1), text('a'), integer(1)))), /"a" appears twice/],
    [
      'a key without end',
      torchFile(program(dict(text('a'.repeat(1e6)), integer(1)))),
      /must have at most 512 characters/,
    ],
  ])('%s', (_, bytes, message) => {
    expectRefusal(bytes, message);
  });
});

describe('a tensor is refused with', () => {
  const two60 = 2n ** 60n;

  test.each<[string, Uint8Array, RegExp]>([
    ['more elements than its storage', tensor(storage('0', 4), [5], [1]), /past the 4 elements/],
    ['an offset past its storage', tensor(storage('0', 4), [1], [1], 4), /offset 4, past the 4/],
    ['a negative offset', tensor(storage('0', 4), [1], [1], -1), /whole numbers of at least 0/],
    ['an offset of 2^60', tensor(storage('0', 4), [1], [1], two60), /whole numbers of at least 0/],
    ['an axis of 2^60', tensor(storage('0', 4), [two60], [0]), /whole numbers of at least 0/],
    ['2^52 · 2^52 elements', tensor(storage('0', 4), [2 ** 52, 2 ** 52], [0, 0]), /more elements than a file/],
    ['2^53 - 1 elements in one place', tensor(storage('0', 4), [2 ** 53 - 1], [0]), /more elements than a file/],
    [
      '2^40 elements in one place',
      tensor(storage('0', 4), [2 ** 40], [0]),
      /tensors overlap and would take 4398046511108/,
    ],
    ['a negative axis', tensor(storage('0', 4), [-1], [1]), /whole numbers of at least 0/],
    ['a negative stride', tensor(storage('0', 4), [2], [-1], 3), /whole numbers of at least 0/],
    ['strides that leave its storage', tensor(storage('0', 4), [2, 2], [2, 2]), /past the 4 elements/],
    ['a stride of 2^53 - 1', tensor(storage('0', 4), [4, 4], [2 ** 53 - 1, 1]), /past the 4 elements/],
    ['fewer strides than axes', tensor(storage('0', 4), [2, 2], [1]), /at most 64 whole numbers/],
    ['100 axes', tensor(storage('0', 4), Array(100).fill(1), Array(100).fill(1)), /at most 64 whole numbers/],
    ['no storage', tensor(integer(1), [1], [1]), /without a storage/],
    ['a storage that is not in the file', tensor(storage('9', 4), [1], [1]), /lacks the storage "9"/],
    [
      'a storage outside of its folder',
      tensor(storage('../data.pkl', 4), [1], [1]),
      /lacks the storage "\.\.\/data\.pkl"/,
    ],
    ['a storage that is longer than its entry', tensor(storage('0', 5), [1], [1]), /16 bytes, but its tensors need 20/],
    ['a storage of 2^60 elements', tensor(storage('0', two60), [1], [1]), /a persistent id that is not a storage/],
    ['a storage of -1 elements', tensor(storage('0', -1), [1], [1]), /a persistent id that is not a storage/],
    [
      'a storage of another type',
      tensor(storage('0', 4, 'ComplexFloatStorage'), [1], [1]),
      /torch\.ComplexFloatStorage, which is not supported/,
    ],
    [
      'a storage of a type by trickery',
      tensor(storage('0', 4, 'constructor'), [1], [1]),
      /torch\.constructor, which is not supported/,
    ],
    [
      'a storage of two types',
      tuple(tensor(storage('0', 4), [1], [1]), tensor(storage('0', 2, 'LongStorage'), [1], [1])),
      /4 elements of F32, and also 2 of I64/,
    ],
    ['an id that is no tuple', bytesOf('NQ'), /a persistent id that is None/],
    [
      'a negative view',
      call(
        global('torch._utils', '_rebuild_tensor_v2'),
        storage('0', 4),
        integer(0),
        ')',
        ')',
        'N',
        'N',
        dict(text('neg'), integer(1)),
      ),
      /negative view/,
    ],
    ['a parameter without data', call(global('torch._utils', '_rebuild_parameter')), /without data/],
  ])('%s', (_, value, message) => {
    expectRefusal(fileOf(value), message);
  });

  test('many copies of one storage', () => {
    const floats = 2 ** 20;
    const transposed = tensor(storage('0', floats), [2 ** 10, 2 ** 10], [1, 2 ** 10]);
    const items = Array.from({ length: 1000 }, (_, i) => [text(`w${i}`), transposed]).flat();
    expectRefusal(
      torchFile(program(dict(...items)), { 0: new Uint8Array(4 * floats) }),
      /tensors overlap and would take/,
    );
  });
});

describe('a zip archive is refused with', () => {
  const content = program(dict(text('w'), tensor(storage('0', 4), [4], [1])));
  const main: ZipEntry = { name: 'a/data.pkl', content };
  const data: ZipEntry = { name: 'a/data/0', content: four };

  test('nothing, as it is', () => {
    expect(readCheckpoint(zip([main, data])).tensors.size).toBe(1);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['compressed entries', zip([{ ...main, method: 8 }, data]), /is compressed \(method 8\).*zip -0/],
    ['a bomb of 4 GB', zip([main, { ...data, method: 8, size: 0xfffffffe, compressedSize: 16 }]), /is compressed/],
    ['encrypted entries', zip([main, { ...data, flags: 1 }]), /is encrypted/],
    ['two sizes', zip([main, { ...data, size: 4000, compressedSize: 16 }]), /two sizes: 4000 and 16/],
    ['an entry that is longer than the file', zip([main, { ...data, size: 0xfffffffe }]), /reaches past/],
    ['an entry of 2^62 bytes', zip([main, { ...data, zip64: { size: 2n ** 62n, position: 0n } }]), /more than a file/],
    [
      'an entry of 2^52 bytes',
      zip([main, { ...data, zip64: { size: 2n ** 52n, position: 0n } }]),
      /overlaps|reaches past/,
    ],
    ['an entry past the end', zip([main, { ...data, position: 0xfffffffe }]), /reaches past/],
    ['an entry at another place', zip([main, { ...data, position: 1 }]), /overlaps|no header at byte 1/],
    [
      'overlapping entries',
      zip([main, data, { ...data, name: 'a/data/1', position: 0 }]),
      /overlaps the entry before it/,
    ],
    ['a name that climbs', zip([main, data, { ...data, name: '../../etc/passwd' }]), /leads out of the archive/],
    ['a name that climbs within', zip([main, data, { ...data, name: 'a/../../b' }]), /leads out of the archive/],
    ['an absolute name', zip([main, data, { ...data, name: '/etc/passwd' }]), /leads out of the archive/],
    ['a name of Windows', zip([main, data, { ...data, name: 'C:\\x' }]), /leads out of the archive/],
    ['a name with a backslash', zip([main, data, { ...data, name: 'a\\..\\x' }]), /leads out of the archive/],
    ['a name with a zero', zip([main, data, { ...data, name: 'a\0b' }]), /leads out of the archive/],
    ['a name twice', zip([main, data, data]), /appears twice/],
    ['no data.pkl', zip([data]), /no data\.pkl/],
    ['two data.pkl', zip([main, { ...main, name: 'b/data.pkl' }]), /more than one data\.pkl/],
    ['no entries', zip([]), /no data\.pkl/],
    [
      'a big-endian byte order',
      zip([main, data, { name: 'a/byteorder', content: bytesOf('big') }]),
      /little-endian machine/,
    ],
    ['more entries than its directory has', zip([main, data], { count: 3 }), /announces 3 entries.*has 2/],
    ['a directory past the end', zip([main, data], { position: 0xfffffff0 }), /does not fit/],
    ['a directory of 4 GB', zip([main, data], { length: 0xfffffff0 }), /does not fit/],
    ['64-bit fields that are not there', zip([main, data], { count: 0xffff }), /64-bit fields that are not there/],
    ['no directory', zip([main, data]).subarray(0, -22), /truncated/],
    [
      'no directory, among a hundred thousand ends',
      bytesOf('PK\x03\x04', Buffer.alloc(2_200_000, 'PK\x05\x06')),
      /truncated/,
    ],
  ])('%s', (_, bytes, message) => {
    expectRefusal(bytes, message);
  });

  test('an entry too many', () => {
    const many = Array.from({ length: 60_000 }, (_, i) => ({ name: `${i}`, content: new Uint8Array() }));
    expectRefusal(zip(many), /no data\.pkl/);
  });
});

describe('the legacy format is refused with', () => {
  const version = program(bytesOf('M', little(1001, 2)));
  const system = program(dict(text('little_endian'), bytesOf(0x88)));
  const content = program(dict(text('w'), tensor(storage('7', 4), [4], [1])));
  const keys = (...names: string[]) => program(']', MARK, ...names.map(text), 'e');
  const body = bytesOf(little(4, 8), four);

  test('nothing, as it is', () => {
    const { tensors } = readCheckpoint(bytesOf(LEGACY_MAGIC, version, system, content, keys('7'), body));
    expect(toFloat32(tensors.get('w')!)).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  const viewed = pickle.tensor(
    bytesOf(
      tuple(
        text('storage'),
        global('torch', 'FloatStorage'),
        text('7'),
        text('cpu'),
        integer(4),
        tuple(text('8'), 'N', 'N'),
      ),
      'Q',
    ),
    [4],
    [1],
  );

  test.each<[string, (Uint8Array | string)[], RegExp]>([
    ['another protocol', [program(integer(1000)), system, content, keys('7'), body], /protocol .* not the number 1000/],
    [
      'a big-endian system',
      [version, program(dict(text('little_endian'), bytesOf(0x89))), content, keys('7'), body],
      /little-endian machine/,
    ],
    ['no system', [version, program('N'), content, keys('7'), body], /little-endian machine/],
    ['an unknown name', [version, system, program(evil), keys(), ''], /posix\.system/],
    [
      'an unknown name in its keys',
      [version, system, content, program(evil), body],
      /not followed by the list of storages/,
    ],
    ['no storages', [version, system, content, keys()], /has 0 storages, but its tensors need 1/],
    ['a storage that no tensor has', [version, system, content, keys('8'), body], /the text "8", that no tensor uses/],
    ['a storage twice', [version, system, content, keys('7', '7'), body, body], /lists it twice/],
    [
      'a storage of another length',
      [version, system, content, keys('7'), little(3, 8), four],
      /has 12 bytes, but its tensors need 16/,
    ],
    [
      'a storage of 2^63 elements',
      [version, system, content, keys('7'), little(2n ** 63n, 8), four],
      /more than a file/,
    ],
    ['a storage that ends early', [version, system, content, keys('7'), body.subarray(0, -1)], /truncated/],
    ['bytes behind its storages', [version, system, content, keys('7'), body, 'x'], /1 bytes follow the last storage/],
    ['parts of storages', [version, system, program(dict(text('w'), viewed)), keys('7'), body], /a part of another/],
  ])('%s', (_, parts, message) => {
    expectRefusal(bytesOf(LEGACY_MAGIC, ...parts), message);
  });
});

test('an array of Flax is not taken for a pickle, nor a pickle for one', () => {
  expect(readCheckpoint(fixture('flax-float32.msgpack')).format).toBe('flax');
  expect(readCheckpoint(fixture('torch-state-dict.legacy.pt')).format).toBe('pytorch');
});
