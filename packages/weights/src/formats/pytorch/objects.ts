import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../../errors/checkpoint-error.js';
import { listText } from '../../errors/lists.js';
import { bytesPerElement, type StoredDtype } from '../../tensors/stored-tensor.js';
import { maxAxes, maxEntries, tensorBytes } from '../layout.js';
import { describe, Foreign, Global, PickleDict, type PickleNames, type PickleValue } from './pickle.js';

/** The objects of PyTorch that a pickle may build: storages, tensors and parameters. */

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

/** The type of storages whose tensors have element types of their own: of bytes. */
const untypedStorage = 'torch.storage.UntypedStorage';

/** Element types without a type of storage. */
const elementTypes: ReadonlyMap<string, StoredDtype> = new Map(
  Object.entries({
    float8_e4m3fn: 'F8_E4M3',
    float8_e5m2: 'F8_E5M2',
    float8_e4m3fnuz: 'F8_E4M3FNUZ',
    float8_e5m2fnuz: 'F8_E5M2FNUZ',
  } as const).map(([name, dtype]) => [`torch.${name}`, dtype]),
);

export const saveStateDict = 'In Python, save only the tensors: torch.save(model.state_dict(), path).';

export class Storage extends Foreign {
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

export class Tensor extends Foreign {
  constructor(
    readonly storage: Storage,
    readonly dtype: StoredDtype,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

/**
 * Returns the functions and types that a pickle of PyTorch may name. They add the storages that the pickle refers to to
 * `storages`.
 */
export function torchNames(storages: Map<string, Storage>): PickleNames {
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
      ['torch._utils._rebuild_tensor_v3', rebuildTypedTensor],
      ['torch._utils._rebuild_parameter', rebuildParameter],
      ['torch._utils._rebuild_parameter_with_state', rebuildParameter],
      // The lists of TorchScript.
      ...['int', 'double', 'bool', 'tensor'].map(
        (type) => [`torch.jit._pickle.build_${type}list`, ([list]: readonly PickleValue[]) => list ?? []] as const,
      ),
    ]),
    known: new Set([...storageTypes.keys(), ...elementTypes.keys(), untypedStorage]),
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
function rebuildTensor(args: readonly PickleValue[]): Tensor {
  const [storage] = args;
  if (!(storage instanceof Storage)) throw malformed('a tensor without a storage');
  return tensorOf(storage, storage.dtype, args.slice(1), args[6]);
}

/** The same with the element type before the metadata, for types without a type of storage. */
function rebuildTypedTensor(args: readonly PickleValue[]): Tensor {
  const [storage, , , , , , type] = args;
  if (!(storage instanceof Storage) || storage.dtype !== 'U8') throw malformed('a tensor without a storage of bytes');
  const dtype = type instanceof Global ? elementTypes.get(type.name) : undefined;
  if (dtype === undefined) throw unsupportedType(`A tensor of storage ${quote(storage.key)}`, type);
  return tensorOf(storage, dtype, args.slice(1), args[7]);
}

function tensorOf(
  storage: Storage,
  dtype: StoredDtype,
  [offset, shape, strides]: readonly PickleValue[],
  metadata: PickleValue | undefined,
): Tensor {
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
  const elements = storage.byteLength / bytesPerElement[dtype];
  if (tensorBytes(dtype, shape, what) > 0) {
    const last = shape.reduce((index, size, axis) => index + (size - 1) * strides[axis]!, offset);
    if (last >= elements) {
      throw new CheckpointError(
        `${what} has shape ${listText(shape)}, strides ${listText(strides)} and offset ${offset}, past the ${elements} ` +
          'elements of the storage. The file is corrupt. Download it again.',
      );
    }
  }
  return new Tensor(storage, dtype, offset, shape, strides);
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
  const isUntyped = type instanceof Global && type.name === untypedStorage;
  const dtype = isUntyped ? 'U8' : type instanceof Global ? storageTypes.get(type.name) : undefined;
  if (dtype === undefined) throw unsupportedType(`Storage ${quote(key)}`, type);
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

function unsupportedType(what: string, type: PickleValue | undefined): CheckpointError {
  const dtypes = [...new Set([...storageTypes.values(), ...elementTypes.values()])].join(', ');
  return new CheckpointError(
    `${what} has the type ${describe(type ?? null)}, which is not supported. Convert its tensors to one of ${dtypes}.`,
  );
}

function malformed(what: string, action = 'The file is corrupt. Download it again'): CheckpointError {
  return new CheckpointError(`The pickle builds ${what}. ${action}.`);
}
