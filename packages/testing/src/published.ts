import { readFileSync } from 'node:fs';
import { input, ParameterScope, type Runtime, type TensorData } from '@dalle-mini/graph';
import { dequantize } from '@dalle-mini/graph/stored';
import { type BartConfig, bart, importTextEncoder } from '@dalle-mini/text-encoder';
import { type Checkpoint, readSafetensors, type StoredTensor, toFloat32, toInt32 } from '@dalle-mini/weights';

/** A fixture of the published flax code, by its address without extension: see scripts/reference. */
export function fixture<Description>({ href }: URL): { description: Description; tensors: Checkpoint } {
  const read = (extension: string) => readFileSync(new URL(`${href}.${extension}`));
  return {
    description: JSON.parse(read('json').toString()) as Description,
    tensors: readSafetensors(read('safetensors')).tensors,
  };
}

/** DALL·E Mini as released but for its sizes, with a text encoder and a decoder. */
export const whole = fixture<{ config: object }>(new URL('../fixtures/dalle-mini', import.meta.url));

/** The released parameters of a fixture, whose names have something in front: a copy, with names joined by slashes. */
export function released(tensors: Checkpoint, prefix = ''): Checkpoint {
  return new Map(
    [...tensors]
      .filter(([name]) => name.startsWith(prefix) && /^(model|lm_head)[./]/.test(name.slice(prefix.length)))
      .map(([name, tensor]) => [
        name.slice(prefix.length).replaceAll('.', '/'),
        { ...tensor, bytes: Uint8Array.from(tensor.bytes) },
      ]),
  );
}

/** A checkpoint's tensors in the order of their names, to be compared. */
export function listed(checkpoint: Checkpoint): unknown[] {
  const tensors = [...checkpoint].sort(([a], [b]) => (a < b ? -1 : 1));
  return tensors.map(([name, { dtype, shape, bytes }]) => [name, dtype, shape, Buffer.from(bytes).toString('base64')]);
}

/** The encoder's parameters among the tensors of a fixture. */
export function parametersOf(tensors: Checkpoint, config: BartConfig, prefix = ''): Map<string, TensorData> {
  return dequantize(importTextEncoder(released(tensors, prefix), config));
}

export const integers = (tensor: StoredTensor): TensorData => ({
  dtype: 'int32',
  shape: tensor.shape,
  data: toInt32(tensor),
});

export async function hiddenStatesOf(
  runtime: Runtime,
  config: BartConfig,
  parameters: ReadonlyMap<string, TensorData>,
  given: Record<'ids' | 'attentionMask', TensorData>,
): Promise<TensorData> {
  const ids = input('ids', given.ids.shape, 'int32');
  const attentionMask = input('attentionMask', given.attentionMask.shape, 'int32');
  const outputs = { hiddenStates: bart(new ParameterScope(), config, ids, attentionMask) };
  const executable = await runtime.compile({ inputs: { ids, attentionMask }, outputs }, { parameters });
  const { hiddenStates } = await executable.run(given);
  await executable.dispose();
  return hiddenStates!;
}

/** The largest difference, relative to the largest value. */
export function relativeError(actual: TensorData, expected: StoredTensor): number {
  if (actual.shape.join() !== expected.shape.join()) throw new Error(`[${actual.shape}], not [${expected.shape}]`);
  const wanted = toFloat32(expected);
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((worst, value, i) => Math.max(worst, Math.abs(value - actual.data[i]!)), 0) / scale;
}
