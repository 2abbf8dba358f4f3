import { sizeOf } from '../shape.js';
import type { Shape, TensorData } from '../tensor.js';
import {
  bytesPerElement,
  type Elements,
  elementsOf,
  type FileRegion,
  type InMemory,
  isInMemory,
  type StoredDType,
  storedDtypes,
} from './part.js';
import { kindOf, partsOf, type StoredParameter, withParts } from './stored-parameter.js';

/** Reads a parameter into memory as float32, for a runtime that does not map files. Values in files need Node.js. */
export async function readParameter(value: StoredParameter): Promise<TensorData> {
  const data = kindOf(value).decode(await readParts(value));
  return { dtype: value.dtype, shape: value.shape, data } as TensorData;
}

/** A part of a stored parameter in memory. */
export interface ParameterPart {
  /** What follows the parameter's name in the names of a checkpoint, and of a module of StableHLO. */
  readonly suffix: string;
  readonly dtype: StoredDType;
  readonly shape: Shape;
  readonly data: Elements;
}

/**
 * Reads a parameter into memory as it is stored, for a runtime that decodes it on the device.
 * @throws GraphError if the values are damaged.
 */
export async function readParameterParts(value: StoredParameter): Promise<ParameterPart[]> {
  const read = await readParts(value);
  kindOf(value).check?.(read);
  return partsOf(read).map(([, { suffix, dtype, shape }, data]) => ({
    suffix,
    dtype: storedDtypes[dtype],
    shape,
    data,
  }));
}

async function readParts(value: StoredParameter): Promise<InMemory<StoredParameter>> {
  const parts = partsOf(value).map(async ([field, { dtype, shape }, part]) => {
    if (isInMemory(part)) return [field, part] as const;
    return [field, elementsOf(dtype, await readRegion(part, bytesPerElement(dtype) * sizeOf(shape)))] as const;
  });
  return withParts(value, await Promise.all(parts)) as InMemory<StoredParameter>;
}

/**
 * Reads bytes of a file.
 * @throws Error if the file is too short.
 */
async function readRegion({ folder, file, offset }: FileRegion, length: number): Promise<Uint8Array> {
  const { open } = await importOfNode('fs/promises');
  const path = `${folder}/${file}`;
  const bytes = new Uint8Array(length);
  const handle = await open(path);
  try {
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new Error(`${path} must have at least ${offset + length} bytes. Download it again.`);
      filled += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return bytes;
}

/** Imports a module of Node.js. Its name is not a literal, so that bundlers for browsers, where all parameters are in memory, leave it out. */
function importOfNode(name: string): Promise<typeof import('node:fs/promises')> {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ `node:${name}`);
}
