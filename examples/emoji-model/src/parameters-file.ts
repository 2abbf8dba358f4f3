import type { TensorData } from '@dalle-mini/graph';
import { dequantize } from '@dalle-mini/graph/stored';
import { fromFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';

/** Writes parameters in full precision. */
export async function saveParameters(path: string, parameters: ReadonlyMap<string, TensorData>): Promise<void> {
  const tensors = [...parameters].map(
    ([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape, 'F32')] as const,
  );
  await writeCheckpointFile(path, new Map(tensors));
}

export async function loadParameters(path: string): Promise<Map<string, TensorData>> {
  return dequantize((await readCheckpointFile(path)).tensors);
}
