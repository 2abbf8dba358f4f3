import { type DecoderConfig, importDecoder } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { dequantize } from '@dalle-mini/graph/stored';
import { released } from '@dalle-mini/testing/published';
import { type Checkpoint, type StoredTensor, toFloat32 } from '@dalle-mini/weights';

/** Returns the decoder's parameters from the tensors of a fixture. */
export function parametersOf(tensors: Checkpoint, config: DecoderConfig, prefix = ''): Map<string, TensorData> {
  return dequantize(importDecoder(released(tensors, prefix), config));
}

export const floats = (tensor: StoredTensor): TensorData => ({
  dtype: 'float32',
  shape: tensor.shape,
  data: toFloat32(tensor),
});
