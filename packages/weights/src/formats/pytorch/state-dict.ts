import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { pythonName } from '../../errors/lists.js';
import { bytesPerElement } from '../../tensors/stored-tensor.js';
import {
  type ByteRange,
  type CheckpointLayout,
  joinName,
  LayoutBuilder,
  maxDepth,
  maxEntries,
  type TensorPlace,
  tensorBytes,
} from '../layout.js';
import { isAverageKey, isTrainingKey, noAverage, type WhichWeights } from '../which.js';
import { saveStateDict, Tensor } from './objects.js';
import { describe, Opaque, PickleDict, type PickleValue, type Unpickled } from './pickle.js';

/** The keys of the model in the dicts that training programs save, the likeliest first. */
const modelKeys = ['state_dict', 'model_state_dict', 'model_state', 'model', 'module', 'params', 'weights'];

/** A dict of tensors in a pickle, and what lies next to it. */
interface Section {
  readonly dict: PickleDict;
  /** Whether the dict is one of several things in the file, so that objects around it are expected. */
  readonly within: boolean;
  /** Keys of the file that are not in `dict`. */
  readonly leftOut: readonly string[];
  readonly isAverage?: boolean | undefined;
}

/**
 * Lays out the tensors of a state dict and of dicts nested in it. Their keys are joined by `.`. Of a dict that a
 * training program saved, the part that `which` selects is laid out, by default the model; states of optimizers never
 * are.
 */
export function stateDictLayout(
  { value, unknownNames }: Unpickled,
  ranges: ReadonlyMap<string, ByteRange>,
  fileSize: number,
  which?: WhichWeights,
): CheckpointLayout {
  const root = dictOf(value);
  const isScript = value instanceof Opaque;
  if (root === undefined) throw noStateDict(value, unknownNames);
  const { dict, within, leftOut, isAverage } = selectSection(root, which);
  if (!within && !isScript && unknownNames.length > 0) throw unknownCalls(unknownNames);
  const layout = new LayoutBuilder('pytorch');
  let values = 0;
  const add = (entry: PickleValue, name: string, depth: number): void => {
    if (depth > maxDepth || ++values > 4 * maxEntries) {
      throw new CheckpointError(
        `The state dict must have at most ${maxDepth} levels and ${4 * maxEntries} values. It may contain itself. ${saveStateDict}`,
      );
    }
    const nested = dictOf(entry);
    if (entry instanceof Tensor) layout.tensor(placeOf(entry, name, ranges.get(entry.storage.key)!));
    else if (isText(entry)) {
      // The attributes of a TorchScript module are flags of its code.
      if (!isScript) layout.text(name, entry);
    } else if (Array.isArray(entry)) {
      entry.forEach((item, i) => {
        add(item, joinName(name, '.', String(i)), depth + 1);
      });
    } else if (nested !== undefined) {
      for (const [key, item] of itemsOf(nested)) add(item, joinName(name, '.', keyText(key)), depth + 1);
    } else if (entry !== null) throw foreignValue(entry, name);
  };
  // Next to the state dict are numbers and texts, such as the epoch.
  if (dict !== root) {
    for (const [key, entry] of itemsOf(root)) if (typeof key === 'string' && isText(entry)) layout.text(key, entry);
  }
  const omitted = new Set(dict === root ? leftOut : []);
  for (const [key, item] of itemsOf(dict)) {
    const name = joinName('', '.', keyText(key));
    if (!omitted.has(name)) add(item, name, 1);
  }
  return { ...layout.finish(fileSize), leftOut, isAverage };
}

/** Finds the state dict in what a program saved. */
function selectSection(root: PickleDict, which: WhichWeights | undefined): Section {
  const sections = new Map<string, PickleDict>();
  const others: string[] = [];
  let hasTensors = false;
  for (const [key, value] of itemsOf(root)) {
    const dict = dictOf(value);
    if (value instanceof Tensor) hasTensors = true;
    if (typeof key !== 'string') continue;
    if (dict !== undefined && contains(dict, isTensor)) sections.set(key, dict);
    else if (!isText(value) && value !== null) others.push(key);
  }
  const averages = [...sections.keys()].filter(isAverageKey);
  const models = [...sections.keys()].filter((key) => !isAverageKey(key) && !isTrainingKey(key));
  // Files of Lightning have the key even if the model is empty.
  const lightning = dictOf(get(root, 'state_dict') ?? null);
  if (lightning !== undefined && !sections.has('state_dict')) {
    return { dict: lightning, within: true, leftOut: [...sections.keys(), ...others] };
  }
  const model = modelKeys.find((key) => models.includes(key));
  const leave = (...kept: string[]) => [...sections.keys(), ...others].filter((key) => !kept.includes(key));
  const namedModel = () => {
    const key = model ?? (models.length === 1 ? models[0] : undefined);
    return key === undefined ? root : unwrap(sections.get(key)!);
  };
  const open = (key: string): Section => {
    const dict = isAverageKey(key) ? openAverage(get(root, key)!, key, namedModel()) : unwrap(sections.get(key)!);
    return { dict, within: true, leftOut: leave(key), isAverage: isAverageKey(key) };
  };
  if (isAveragedByLightning(sections, root)) {
    const dict = sections.get(which === 'model' ? 'current_model_state' : 'state_dict')!;
    const leftOut = [...sections.keys(), ...others].filter((key) => sections.get(key) !== dict);
    return { dict, within: true, leftOut, isAverage: which !== 'model' };
  }
  const lists = others.filter((key) => isAverageKey(key) && isTensorList(get(root, key)!));
  const [average] = [...averages, ...lists];
  if (which === 'ema') {
    if (average !== undefined) return open(average);
    // The names within the state dict may show an average.
    if (model === undefined && hasTensors) return { dict: root, within: false, leftOut: [] };
    if (model === undefined) throw noAverage([...sections.keys(), ...others]);
    return open(model);
  }
  // Other dicts of tensors may belong to the model.
  const isWhole = model === 'state_dict' || models.every((key) => modelKeys.includes(key));
  const isWrapper = !hasTensors || sections.size > 1 || others.length > 0;
  if (model !== undefined && isWhole && isWrapper) return open(model);
  if (models.length === 0 && !hasTensors && average !== undefined) return open(average);
  const within = sections.size > 0 && !hasTensors;
  if (!within) return { dict: root, within, leftOut: [] };
  // The model is not under a usual key. All that may be it is laid out; importers find it by the names that they need.
  const leftOut = [...sections.keys(), ...others].filter(
    (key) => isAverageKey(key) || isTrainingKey(key) || contains(get(root, key)!, isForeign),
  );
  return { dict: root, within: leftOut.length < sections.size + others.length, leftOut };
}

/**
 * Whether Lightning averaged the weights: its callback `WeightAveraging` saves the average as `state_dict`, and the model as
 * `current_model_state`.
 */
function isAveragedByLightning(sections: ReadonlyMap<string, PickleDict>, root: PickleDict): boolean {
  return (
    sections.has('state_dict') && sections.has('current_model_state') && get(root, 'averaging_state') !== undefined
  );
}

/** Follows keys such as `ema.module` to the dict of tensors. */
function unwrap(dict: PickleDict): PickleDict {
  let current = dict;
  for (let depth = 0; depth < 4; depth++) {
    const sections: PickleDict[] = [];
    for (const [, value] of itemsOf(current)) {
      const inner = dictOf(value);
      // A count of updates may be a tensor next to the weights.
      if (value instanceof Tensor && value.shape.length > 0) return current;
      if (inner !== undefined && contains(inner, isTensor)) sections.push(inner);
    }
    const [only, ...more] = sections;
    if (only === undefined || more.length > 0) return current;
    current = only;
  }
  return current;
}

/**
 * Returns an average as a dict of tensors. torch-ema and diffusers save it as a list, `shadow_params`, in the order of the
 * model's parameters.
 *
 * @param model The state dict of the model, or a dict without tensors if the file has no model.
 * @throws CheckpointError if the list does not have the shapes of the model's parameters.
 */
function openAverage(value: PickleValue, path: string, model: PickleDict): PickleDict {
  if (isTensorList(value)) return nameTensors(value as readonly Tensor[], path, model);
  const dict = unwrap(dictOf(value)!);
  const lists = [...itemsOf(dict)].filter(([, item]) => isTensorList(item));
  const [key, list] = lists.find(([name]) => name === 'shadow_params') ?? lists[0] ?? [];
  return list === undefined ? dict : nameTensors(list as readonly Tensor[], `${path}.${keyText(key!)}`, model);
}

function isTensorList(value: PickleValue): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isTensor);
}

/** Buffers of norms, which are in a state dict and are no parameters. */
const normBuffer = /(^|\.)running_(mean|var)$/;

/** Gives the tensors of a list the names of the parameters of a model. */
function nameTensors(list: readonly Tensor[], path: string, model: PickleDict): PickleDict {
  const parameters: [string, Tensor][] = [];
  const tied = new Set<string>();
  for (const [key, tensor] of itemsOf(model)) {
    const isParameter = tensor instanceof Tensor && tensor.dtype.includes('F') && !normBuffer.test(keyText(key));
    if (!isParameter) continue;
    // A tied parameter has several names in a state dict.
    const place = `${tensor.storage.key} ${tensor.offset} ${tensor.shape.join()}`;
    if (!tied.has(place)) parameters.push([keyText(key), tensor]);
    tied.add(place);
  }
  const isSame = (tensor: Tensor, i: number) => tensor.shape.join() === parameters[i]?.[1].shape.join();
  if (parameters.length !== list.length || !list.every(isSame)) throw unnamedAverage(path);
  const named = new PickleDict();
  for (const [i, [name]] of parameters.entries()) named.items.push(name, list[i]!);
  return named;
}

const isTensor = (value: PickleValue) => value instanceof Tensor;
const isForeign = (value: PickleValue) => value instanceof Opaque && dictOf(value) === undefined;

/** Checks whether a value, or one nested in it, is of a kind. A pickle may refer to one value many times. */
function contains(value: PickleValue, isWanted: (value: PickleValue) => boolean): boolean {
  const seen = new Set<PickleValue>();
  const pending: PickleValue[] = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (isWanted(next)) return true;
    const items = Array.isArray(next) ? next : dictOf(next)?.items;
    if (items === undefined || seen.has(next)) continue;
    seen.add(next);
    for (const item of items) if (typeof item === 'object' && item !== null) pending.push(item);
  }
  return false;
}

/** Returns a value as a dict: also the attributes of a TorchScript module. */
function dictOf(value: PickleValue): PickleDict | undefined {
  return value instanceof PickleDict ? value : value instanceof Opaque ? value.attributes : undefined;
}

function noStateDict(value: PickleValue, unknownNames: readonly string[]): CheckpointError {
  if (value instanceof Opaque) {
    return new CheckpointError(
      `The file holds an object of ${pythonName(value.name)}, which needs the code of its class. No code in the file was run. ${saveStateDict}`,
    );
  }
  if (unknownNames.length > 0) return unknownCalls(unknownNames);
  const save =
    value instanceof Tensor ? "In Python, save it with a name: torch.save({'name': tensor}, path)." : saveStateDict;
  return new CheckpointError(`The file must hold a dict of tensors, not ${describe(value)}. ${save}`);
}

function unknownCalls(unknownNames: readonly string[]): CheckpointError {
  const others = unknownNames.length > 1 ? ` (and ${unknownNames.length - 1} others)` : '';
  return new CheckpointError(
    `The file calls ${pythonName(unknownNames[0]!)}${others}, which a state dict does not need and this reader never runs. ${saveStateDict}`,
  );
}

function foreignValue(value: PickleValue, name: string): CheckpointError {
  const what = `${quote(name)} of the state dict must be a tensor, a number or text, not ${describe(value)}. No code in the file was run.`;
  const kind = /^torch\._utils\._rebuild_(qtensor|sparse|meta)/.exec(value instanceof Opaque ? value.name : '')?.[1];
  const fixes: Record<string, string> = {
    qtensor: 'The tensor is quantized: save tensor.dequantize().',
    sparse: 'The tensor is sparse: save tensor.to_dense().',
    meta: 'The tensor has no values: load the model before you save it.',
  };
  return new CheckpointError(`${what} ${kind === undefined ? saveStateDict : fixes[kind]}`);
}

function unnamedAverage(path: string): CheckpointError {
  return new CheckpointError(
    `The average under ${quote(path)} is a list without names, and the file has no model whose weights have the same number and shapes. In Python, copy it into the model, such as by ema.copy_to(model.parameters()), and save model.state_dict().`,
  );
}

function placeOf({ dtype, offset, shape, strides }: Tensor, name: string, range: ByteRange): TensorPlace {
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

function* itemsOf(dict: PickleDict): Generator<[PickleValue, PickleValue]> {
  for (let i = 0; i < dict.items.length; i += 2) yield [dict.items[i]!, dict.items[i + 1]!];
}

export function get(dict: PickleDict, key: string): PickleValue | undefined {
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
