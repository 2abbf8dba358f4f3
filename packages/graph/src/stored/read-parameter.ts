import { sizeOf } from '../shape.js';
import type { TensorData } from '../tensor.js';
import { bytesPerElement, elementsOf, type FileRegion, type InMemory, isInMemory } from './part.js';
import { kindOf, partsOf, type StoredParameter, withParts } from './stored-parameter.js';

/** Reads a parameter into memory as float32, for a runtime that does not map files. Values in files need Node.js. */
export async function readParameter(value: StoredParameter): Promise<TensorData> {
  const parts = partsOf(value).map(async ([field, { dtype, shape }, part]) => {
    if (isInMemory(part)) return [field, part] as const;
    return [field, elementsOf(dtype, await readRegion(part, bytesPerElement(dtype) * sizeOf(shape)))] as const;
  });
  const read = withParts(value, await Promise.all(parts)) as InMemory<StoredParameter>;
  const data = kindOf(value).decode(read);
  return { dtype: value.dtype, shape: value.shape, data } as TensorData;
}

/**
 * Reads bytes of a file.
 * @throws Error if the file is too short.
 */
async function readRegion({ folder, file, offset }: FileRegion, length: number): Promise<Uint8Array> {
  const [{ open }, { join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const bytes = new Uint8Array(length);
  const handle = await open(join(folder, file));
  try {
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0)
        throw new Error(`${join(folder, file)} must have at least ${offset + length} bytes. Download it again.`);
      filled += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return bytes;
}
