/** Weights that stay in their file, where a runtime maps them. */
import { basename, dirname, resolve } from 'node:path';
import { type FileRegion, type StoredParameter, sizeOf } from '@dalle-mini/graph';
import type { TensorLocation } from '@dalle-mini/weights/node';

/** Bytes of weights from which a file is mapped and not read. What is mapped cannot be replaced on Windows while it is in use. */
const largeFile = 2 ** 28;

/** Whether tensors stay in their file: where a runtime has to widen some, which it does off the event loop, or where they are that large. */
export function stayInFile(tensors: readonly TensorLocation[]): boolean {
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + (dtype === 'U8' ? 1 : 4) * sizeOf(shape), 0);
  return bytes >= largeFile || tensors.some(({ dtype }) => dtype === 'F16' || dtype === 'I8');
}

/** The last path that was resolved: for each of a model's tensors alone, that took 20 ms of its start. */
let resolved = { path: '', folder: '', file: '' };

/** Where a tensor begins. */
export function placeOf(path: string, { offset }: TensorLocation): FileRegion {
  if (resolved.path !== path) resolved = { path, folder: resolve(dirname(path)), file: basename(path) };
  const { folder, file } = resolved;
  return { folder, file, offset };
}

/** A tensor's values in its file, as a runtime takes them: F32, F16, or I8 with scales, as `quantize` stores it. Nothing of another kind. */
export function valueInPlace(
  path: string,
  name: string,
  tensors: ReadonlyMap<string, TensorLocation>,
): StoredParameter | undefined {
  const tensor = tensors.get(name)!;
  const { shape } = tensor;
  const dtype = 'float32';
  if (tensor.dtype === 'F32') return { dtype, shape, data: placeOf(path, tensor) };
  if (tensor.dtype === 'F16') return { kind: 'fp16', dtype, shape, halves: placeOf(path, tensor) };
  const scale = tensors.get(`${name}.scale`);
  if (tensor.dtype !== 'I8' || !isVector(scale, 'F32', shape[0])) return undefined;
  const rows = { kind: 'rows', dtype, shape, rows: placeOf(path, tensor), scale: placeOf(path, scale) } as const;
  const [values, positions] = [tensors.get(`${name}.outliers`), tensors.get(`${name}.outlier_positions`)];
  if (!values && !positions) return { ...rows, outlierCount: 0 };
  if (!isVector(values, 'F32', values?.shape[0]) || !isVector(positions, 'I32', values.shape[0])) return undefined;
  const outliers = { outliers: placeOf(path, values), outlierPositions: placeOf(path, positions) };
  return { ...rows, outlierCount: values.shape[0]!, ...outliers };
}

function isVector(
  tensor: TensorLocation | undefined,
  dtype: string,
  length: number | undefined,
): tensor is TensorLocation {
  return tensor?.dtype === dtype && tensor.shape.length === 1 && tensor.shape[0] === length;
}
