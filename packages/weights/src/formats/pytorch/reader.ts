import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../../errors/checkpoint-error.js';
import { listText, pythonName } from '../../errors/lists.js';
import { bytesPerElement, type StoredDtype } from '../../tensors/stored-tensor.js';
import { type ByteSource, Cursor, uint64 } from '../byte-source.js';
import {
  type ByteRange,
  type CheckpointLayout,
  joinName,
  LayoutBuilder,
  maxAxes,
  maxDepth,
  maxEntries,
  type TensorPlace,
  tensorBytes,
} from '../layout.js';
import {
  describe,
  Foreign,
  Global,
  PickleDict,
  type PickleNames,
  type PickleValue,
  type Unpickled,
  unpickle,
} from './pickle.js';
import { zipEntries } from './zip.js';

/**
 * The files of `torch.save` (https://github.com/pytorch/pytorch, torch/serialization.py). A pickle describes the
 * objects and refers to storages by key. A storage is a flat array of one dtype, and a tensor is a view of a storage.
 * Since PyTorch 1.6 the file is a zip archive with the pickle in `data.pkl` and each storage in `data/KEY`. The legacy
 * format has the pickles first, then the storages.
 */

/** The first bytes of the legacy format: a pickle of this number. */
export const legacyMagic = Uint8Array.of(
  0x80,
  2,
  0x8a,
  10,
  0x6c,
  0xfc,
  0x9c,
  0x46,
  0xf9,
  0x20,
  0x6a,
  0xa8,
  0x50,
  0x19,
  0x2e,
);
const legacyProtocol = 1001;

const maxPickleLength = 2 ** 25;

const storageTypes: ReadonlyMap<string, StoredDtype> = new Map(
  Object.entries({
    BoolStorage: 'BOOL',
    ByteStorage: 'U8',
    CharStorage: 'I8',
    ShortStorage: 'I16',
    HalfStorage: 'F16',
    BFloat16Storage: 'BF16',
    IntStorage: 'I32',
    FloatStorage: 'F32',
    DoubleStorage: 'F64',
    LongStorage: 'I64',
  } as const).flatMap(([name, dtype]) => [
    [`torch.${name}`, dtype],
    [`torch.cuda.${name}`, dtype],
  ]),
);

class Storage extends Foreign {
  constructor(
    readonly key: string,
    readonly dtype: StoredDtype,
    readonly elements: number,
  ) {
    super();
  }

  get byteLength(): number {
    return this.elements * bytesPerElement[this.dtype];
  }
}

class Tensor extends Foreign {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

/**
 * Reads the layout of a zip archive of `torch.save`, and checks it.
 * @throws CheckpointError if the archive or its pickle is truncated, inconsistent or hostile, or does not hold a state
 *   dict.
 */
export function pytorchZipLayout(source: ByteSource): CheckpointLayout {
  const entries = zipEntries(source);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new CheckpointError(
      `The file is a zip archive with ${pickles.length === 0 ? 'no' : 'more than one'} data.pkl, so torch.save did not write it. ` +
        'If it is an archive of a checkpoint, unpack it.',
    );
  }
  const folder = pickles[0]!.slice(0, -'data.pkl'.length);
  const byteOrder = entries.get(`${folder}byteorder`);
  if (byteOrder !== undefined) {
    const order = new Cursor(source, byteOrder.begin, byteOrder.end).text(Math.min(6, byteOrder.end - byteOrder.begin));
    if (order !== 'little') throw wrongByteOrder();
  }
  const { begin, end } = entries.get(pickles[0]!)!;
  if (end - begin > maxPickleLength) throw longPickle();
  const cursor = new Cursor(source, begin, end);
  const storages = new Map<string, Storage>();
  const unpickled = unpickle(cursor, torchNames(storages));
  if (cursor.position !== end) {
    throw corrupt(`${end - cursor.position} bytes follow the pickle in data.pkl`);
  }
  const ranges = new Map<string, ByteRange>();
  for (const { key, byteLength } of storages.values()) {
    const range = entries.get(`${folder}data/${key}`);
    if (range === undefined) {
      throw corrupt(`The zip archive lacks the storage ${quote(key)}`);
    }
    checkStorageSize(key, range, byteLength);
    ranges.set(key, range);
  }
  return stateDictLayout(unpickled, ranges, source.size);
}

/**
 * Reads the layout of a file of `torch.save` before 1.6, or with `_use_new_zipfile_serialization=False`, and checks it.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile, or does not hold a state dict.
 */
export function pytorchLegacyLayout(source: ByteSource): CheckpointLayout {
  const cursor = new Cursor(source, 0, Math.min(source.size, maxPickleLength));
  cursor.skip(legacyMagic.byteLength);
  const storages = new Map<string, Storage>();
  const names = torchNames(storages);
  const protocol = unpickle(cursor, names).value;
  if (protocol !== legacyProtocol) {
    throw new CheckpointError(
      `The protocol of the PyTorch file must be ${legacyProtocol}, not ${describe(protocol)}. Save the model again with a current PyTorch.`,
    );
  }
  const system = unpickle(cursor, names).value;
  if (!(system instanceof PickleDict) || get(system, 'little_endian') !== true) throw wrongByteOrder();
  const unpickled = unpickle(cursor, names);
  const keys = unpickle(cursor, names).value;
  if (!Array.isArray(keys)) {
    throw corrupt('The pickle is not followed by the list of storages');
  }
  // The storages follow without gaps. Each begins with its number of elements.
  const data = new Cursor(source, cursor.position);
  const ranges = new Map<string, ByteRange>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined || ranges.has(storage.key)) {
      throw corrupt(`The file lists a storage, ${describe(key)}, that no tensor uses, or lists it twice`);
    }
    const elements = uint64(data.view(8), 0, true, `The length of storage ${quote(storage.key)}`);
    const range = { begin: data.position, end: data.position + elements * bytesPerElement[storage.dtype] };
    checkStorageSize(storage.key, range, storage.byteLength);
    data.skip(storage.byteLength);
    ranges.set(storage.key, range);
  }
  if (ranges.size !== storages.size) {
    throw corrupt(`The file has ${ranges.size} storages, but its tensors need ${storages.size}`);
  }
  if (data.position !== data.end) {
    throw corrupt(`${data.end - data.position} bytes follow the last storage`);
  }
  return stateDictLayout(unpickled, ranges, source.size);
}

/**
 * Returns the functions and types that a pickle of PyTorch may name. They add the storages that the pickle refers to to
 * `storages`.
 */
function torchNames(storages: Map<string, Storage>): PickleNames {
  let pairs = 0;
  return {
    calls: new Map<string, (args: readonly PickleValue[]) => PickleValue>([
      [
        'collections.OrderedDict',
        (args) => {
          const dict = orderedDict(args);
          // Many dicts may be built from one long list.
          pairs += dict.items.length / 2;
          if (pairs > maxEntries) throw malformed(`dicts of more than ${maxEntries} pairs`);
          return dict;
        },
      ],
      ['torch.Size', ([sizes]) => sizes ?? []],
      ['torch._utils._rebuild_tensor', rebuildTensor],
      ['torch._utils._rebuild_tensor_v2', rebuildTensor],
      ['torch._utils._rebuild_parameter', rebuildParameter],
      ['torch._utils._rebuild_parameter_with_state', rebuildParameter],
    ]),
    known: new Set(storageTypes.keys()),
    persistent: (id) => loadStorage(id, storages),
  };
}

/** Builds `OrderedDict()`, or `OrderedDict([[key, value], …])` as Python 2 wrote it. */
function orderedDict([pairs = []]: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict();
  if (!Array.isArray(pairs) || pairs.length > maxEntries) {
    throw malformed(`an OrderedDict of something other than a list of at most ${maxEntries} pairs`);
  }
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw malformed('an OrderedDict of something other than a list of pairs');
    dict.items.push(pair[0]!, pair[1]!);
  }
  return dict;
}

/**
 * Builds a tensor from `(storage, offset, size, stride, requires_grad, backward_hooks, metadata)`. Only the first four
 * matter.
 */
function rebuildTensor([storage, offset, shape, strides, , , metadata]: readonly PickleValue[]): Tensor {
  if (!(storage instanceof Storage)) throw malformed('a tensor without a storage');
  if (metadata instanceof PickleDict && metadata.items.length > 0) {
    throw malformed(
      'a tensor that is a conjugate or negative view',
      'Save a clone of it: tensor.resolve_neg().clone()',
    );
  }
  if (!isSizes(shape) || !isSizes(strides) || shape.length !== strides.length || !isSize(offset)) {
    throw malformed(`a tensor whose shape, strides and offset are not at most ${maxAxes} whole numbers of at least 0`);
  }
  const what = `A tensor of storage ${quote(storage.key)}`;
  if (tensorBytes(storage.dtype, shape, what) > 0) {
    const last = shape.reduce((index, size, axis) => index + (size - 1) * strides[axis]!, offset);
    if (last >= storage.elements) {
      throw new CheckpointError(
        `${what} has shape ${listText(shape)}, strides ${listText(strides)} and offset ${offset}, past the ${storage.elements} ` +
          'elements of the storage. The file is corrupt. Download it again.',
      );
    }
  }
  return new Tensor(storage, offset, shape, strides);
}

/** `(data, requires_grad, backward_hooks)` */
function rebuildParameter([data]: readonly PickleValue[]): PickleValue {
  if (data === undefined) throw malformed('a parameter without data');
  return data;
}

/**
 * `('storage', type, key, location, elements)`, and in the legacy format the part that is seen, which is `None` since
 * PyTorch 0.4.
 */
function loadStorage(id: PickleValue, storages: Map<string, Storage>): PickleValue {
  if (!Array.isArray(id)) throw malformed(`a persistent id that is ${describe(id)}`);
  const [kind, type, key, , elements, view] = id;
  // The legacy format adds the source code to classes. The class itself is all that a pickle does with it.
  if (kind === 'module' && type !== undefined) return type;
  if (kind !== 'storage' || type === undefined || typeof key !== 'string' || !isSize(elements)) {
    throw malformed('a persistent id that is not a storage');
  }
  const dtype = type instanceof Global ? storageTypes.get(type.name) : undefined;
  if (dtype === undefined) {
    throw new CheckpointError(
      `Storage ${quote(key)} has the type ${describe(type)}, which is not supported. ` +
        `Convert its tensors to one of ${[...new Set(storageTypes.values())].join(', ')}.`,
    );
  }
  if (view !== undefined && view !== null) {
    throw malformed('a storage that is a part of another', 'Save the file again with a current PyTorch');
  }
  const storage = new Storage(key, dtype, elements);
  const known = storages.get(key);
  if (known === undefined) storages.set(key, storage);
  else if (known.dtype !== dtype || known.elements !== elements) {
    throw corrupt(
      `Storage ${quote(key)} has ${known.elements} elements of ${known.dtype}, and also ${elements} of ${dtype}`,
    );
  }
  return known ?? storage;
}

/** Lays out the tensors of a state dict and of dicts nested in it. Their keys are joined by `.`. */
function stateDictLayout(
  { value, unknownNames }: Unpickled,
  ranges: ReadonlyMap<string, ByteRange>,
  fileSize: number,
): CheckpointLayout {
  const layout = new LayoutBuilder('pytorch');
  let values = 0;
  const add = (entry: PickleValue, name: string, depth: number): void => {
    if (depth > maxDepth || ++values > 4 * maxEntries) {
      throw new CheckpointError(
        `The state dict must have at most ${maxDepth} levels and ${4 * maxEntries} values. It may contain itself. ${saveStateDict}`,
      );
    }
    if (entry instanceof Tensor) layout.tensor(placeOf(entry, name, ranges.get(entry.storage.key)!));
    else if (isText(entry)) layout.text(name, entry);
    else if (Array.isArray(entry)) {
      entry.forEach((item, i) => {
        add(item, joinName(name, '.', String(i)), depth + 1);
      });
    } else if (entry instanceof PickleDict) {
      for (const [key, item] of itemsOf(entry)) add(item, joinName(name, '.', keyText(key)), depth + 1);
    } else if (entry !== null) {
      throw new CheckpointError(
        `${quote(name)} of the state dict must be a tensor, a number or text, not ${describe(entry)}. ` +
          `No code in the file was run. ${saveStateDict}`,
      );
    }
  };
  const root = value instanceof PickleDict ? value : undefined;
  const stateDict = root && get(root, 'state_dict');
  if (root !== undefined && stateDict instanceof PickleDict) {
    // A file of Lightning: next to the state dict are the optimizer, callbacks and settings, objects of any class.
    for (const [key, entry] of itemsOf(root)) {
      if (typeof key === 'string' && isText(entry)) layout.text(key, entry);
    }
    add(stateDict, '', 0);
    return layout.finish(fileSize);
  }
  if (unknownNames.length > 0) {
    const others = unknownNames.length > 1 ? ` (and ${unknownNames.length - 1} others)` : '';
    throw new CheckpointError(
      `The file calls ${pythonName(unknownNames[0]!)}${others}, which a state dict does not need and this reader never runs. ${saveStateDict}`,
    );
  }
  if (root === undefined) {
    throw new CheckpointError(`The file must hold a dict of tensors, not ${describe(value)}. ${saveStateDict}`);
  }
  add(root, '', 0);
  return layout.finish(fileSize);
}

const saveStateDict = 'In Python, save only the tensors: torch.save(model.state_dict(), path).';

function placeOf({ storage, offset, shape, strides }: Tensor, name: string, range: ByteRange): TensorPlace {
  const { dtype } = storage;
  const size = bytesPerElement[dtype];
  const bytes = tensorBytes(dtype, shape, `Tensor ${quote(name)}`);
  const begin = range.begin + offset * size;
  if (bytes === 0) return { name, dtype, shape, ranges: [] };
  if (isRowMajor(shape, strides)) return { name, dtype, shape, ranges: [{ begin, end: begin + bytes }] };
  const span = shape.reduce((index, length, axis) => index + (length - 1) * strides[axis]!, 1);
  return { name, dtype, shape, ranges: [{ begin, end: begin + span * size }], strides };
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    // The stride of an axis of size 1 is never used.
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

function checkStorageSize(key: string, { begin, end }: ByteRange, expected: number): void {
  if (end - begin !== expected) {
    throw new CheckpointError(
      `Storage ${quote(key)} has ${end - begin} bytes, but its tensors need ${expected}. The file is truncated or corrupt. Download it again.`,
    );
  }
}

function* itemsOf(dict: PickleDict): Generator<[PickleValue, PickleValue]> {
  for (let i = 0; i < dict.items.length; i += 2) yield [dict.items[i]!, dict.items[i + 1]!];
}

function get(dict: PickleDict, key: string): PickleValue | undefined {
  for (const [candidate, value] of itemsOf(dict)) if (candidate === key) return value;
  return undefined;
}

function keyText(key: PickleValue): string {
  if (typeof key === 'string' || typeof key === 'number') return String(key);
  throw new CheckpointError(`A key of the state dict must be text or a number, not ${describe(key)}. ${saveStateDict}`);
}

function isText(value: PickleValue): value is string | number | bigint | boolean {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
}

/**
 * Checks whether these are sizes of axes, offsets or strides. The length is checked first: many tensors may share one
 * long list.
 */
function isSizes(values: PickleValue | undefined): values is number[] {
  return Array.isArray(values) && values.length <= maxAxes && values.every(isSize);
}

function isSize(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(what: string, action = 'The file is corrupt. Download it again'): CheckpointError {
  return new CheckpointError(`The pickle builds ${what}. ${action}.`);
}

function longPickle(): CheckpointError {
  return new CheckpointError(`The pickle must have at most ${maxPickleLength} bytes. ${saveStateDict}`);
}

function wrongByteOrder(): CheckpointError {
  return new CheckpointError('The file must be of a little-endian machine. Save it again on one.');
}
