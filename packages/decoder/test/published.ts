import { readFile } from 'node:fs/promises';
import { type DecoderConfig, importDecoder } from '@dalle-mini/decoder';
import { dequantize, type TensorData } from '@dalle-mini/graph';
import { type Checkpoint, readSafetensors, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { integers, listed, released } from '../../text-encoder/test/published-bart.js';

export { integers, listed, released };

export async function fixture(name: string): Promise<{ description: never; tensors: Checkpoint }> {
  const file = (extension: string) => new URL(`fixtures/${name}.${extension}`, import.meta.url);
  const description = JSON.parse(await readFile(file('json'), 'utf8')) as never;
  return { description, tensors: readSafetensors(await readFile(file('safetensors'))).tensors };
}

/** The decoder's parameters among the tensors of a fixture. */
export function parametersOf(tensors: Checkpoint, config: DecoderConfig, prefix = ''): Map<string, TensorData> {
  return dequantize(importDecoder(released(tensors, prefix), config));
}

export const floats = (tensor: StoredTensor): TensorData => ({
  dtype: 'float32',
  shape: tensor.shape,
  data: toFloat32(tensor),
});
