import { type Checkpoint, CheckpointError, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import type { TensorData } from '../tensor.js';
import { bindParameters } from './bind-parameters.js';
import { bytesOf, type InMemory } from './part.js';
import { quantizeRows } from './quantized-rows.js';
import { decodeParameter, layoutOf, partsOf, type StoredParameter } from './stored-parameter.js';

/** A float32 tensor in memory. */
export type Float32Tensor = Extract<TensorData, { dtype: 'float32' }>;

/** Returns the tensors of a checkpoint for a stored parameter, by name. */
export function checkpointTensors(name: string, value: InMemory<StoredParameter>): Checkpoint {
  return new Map(
    partsOf(value).map(([, { suffix, dtype, shape }, part]) => [name + suffix, { dtype, shape, bytes: bytesOf(part) }]),
  );
}

/**
 * Quantizes every floating-point tensor with at least two axes to 8 bits, as `QuantizedRows`. The others (biases, norms, integers) do
 * not change.
 * @throws CheckpointError if a required name, such as `….scale`, is taken; GraphError if a value is not finite.
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
 * Converts every tensor of a checkpoint to float32, whatever its stored form. The parts of an 8-bit tensor (`name.scale` and so on) are
 * not in the result.
 * @throws CheckpointError if a part of an 8-bit tensor is missing or has the wrong type or shape.
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

/** Returns the names of the tensors that may belong to an 8-bit tensor, starting with its own. */
function rowParts(name: string): string[] {
  const rows = { kind: 'rows', dtype: 'float32', shape: [1], outlierCount: 1 } as const;
  return layoutOf(rows).map(([, { suffix }]) => name + suffix);
}
