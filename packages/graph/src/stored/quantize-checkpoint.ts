import { type Checkpoint, CheckpointError, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import type { TensorData } from '../tensor.js';
import { bindParameters } from './bind-parameters.js';
import { bytesOf, type InMemory } from './part.js';
import { quantizeRows } from './quantized-rows.js';
import { decodeParameter, layoutOf, partsOf, type StoredParameter } from './stored-parameter.js';

/** A tensor of float32 in memory. */
export type Float32Tensor = Extract<TensorData, { dtype: 'float32' }>;

/** The tensors that a checkpoint has for a stored parameter, by name. */
export function checkpointTensors(name: string, value: InMemory<StoredParameter>): Checkpoint {
  return new Map(
    partsOf(value).map(([, { suffix, dtype, shape }, part]) => [name + suffix, { dtype, shape, bytes: bytesOf(part) }]),
  );
}

/**
 * Stores every floating-point tensor of two or more axes in 8 bits, as `QuantizedRows`; the rest (biases, norms, integers) stays as it is.
 * @throws CheckpointError if a name that is needed, such as `….scale`, is taken; GraphError if a value is not finite.
 */
export function quantize(checkpoint: ReadonlyMap<string, StoredTensor>): Checkpoint {
  const result: Checkpoint = new Map();
  for (const [name, tensor] of checkpoint) {
    if (tensor.shape.length < 2 || !/^B?F\d/.test(tensor.dtype)) {
      result.set(name, tensor);
      continue;
    }
    const taken = rowParts(name).find((part) => part !== name && checkpoint.has(part));
    if (taken !== undefined)
      throw new CheckpointError(
        `The name ${JSON.stringify(taken)} must be free to store ${JSON.stringify(name)} in 8 bits. Rename one of the two.`,
      );
    const rows = quantizeRows(toFloat32(tensor), tensor.shape);
    for (const [part, stored] of checkpointTensors(name, rows)) result.set(part, stored);
  }
  return result;
}

/**
 * Reads every tensor of a checkpoint as float32, whatever it was stored as. The tensors that belong to an 8-bit one (`name.scale` and so
 * on) are used and do not appear by themselves.
 * @throws CheckpointError if what belongs to an 8-bit tensor is missing, or of another type or shape than it must be.
 */
export function dequantize(checkpoint: ReadonlyMap<string, StoredTensor>): Map<string, Float32Tensor> {
  const eightBit = [...checkpoint].filter(([, { dtype }]) => dtype === 'I8');
  const parts = new Set(eightBit.flatMap(([name]) => rowParts(name).slice(1)));
  const declared = new Map([...checkpoint].filter(([name]) => !parts.has(name)));
  const parameters = bindParameters(declared, checkpoint);
  const result = new Map<string, Float32Tensor>();
  for (const [name, value] of parameters) {
    try {
      const data = decodeParameter(value);
      result.set(name, { dtype: 'float32', shape: value.shape, data });
    } catch (error) {
      throw new CheckpointError(`The tensor ${name}: ${(error as Error).message}`, { cause: error });
    }
  }
  return result;
}

/** The names of the tensors that a checkpoint may have for one in 8 bits: its own first. */
function rowParts(name: string): string[] {
  const rows = { kind: 'rows', dtype: 'float32', shape: [1], outlierCount: 1 } as const;
  return layoutOf(rows).map(([, { suffix }]) => name + suffix);
}
