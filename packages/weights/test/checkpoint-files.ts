import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CheckpointError, readCheckpoint } from '@dalle-mini/weights';
import { expect } from 'vitest';

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(fixturePath(name)));
}

/** Expects that reading ends with a CheckpointError of this message, within a second of processor time and 200 MB. */
export function expectRefusal(bytes: Uint8Array, message: RegExp): void {
  const memory = process.memoryUsage().rss;
  const start = process.cpuUsage();
  let error: unknown;
  try {
    readCheckpoint(bytes);
  } catch (caught) {
    error = caught;
  }
  const { user, system } = process.cpuUsage(start);
  expect(error).toBeInstanceOf(CheckpointError);
  expect((error as Error).message).toMatch(message);
  // A hostile file must not fill the log either.
  expect((error as Error).message.length).toBeLessThan(1000);
  expect(user + system).toBeLessThan(1e6);
  expect(process.memoryUsage().rss - memory).toBeLessThan(200e6);
}

/** Bytes of numbers, ASCII text and other bytes, one after the other. */
export function bytesOf(...parts: readonly (number | string | ArrayLike<number>)[]): Uint8Array {
  const arrays = parts.map((part) =>
    typeof part === 'number' ? [part] : typeof part === 'string' ? Buffer.from(part, 'latin1') : part,
  );
  const result = new Uint8Array(arrays.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of arrays) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

/** A little-endian integer of `width` bytes. */
export function little(value: number | bigint, width: 2 | 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return new Uint8Array(view.buffer, 0, width);
}

/** An entry of a zip archive, with what may be wrong about it. */
export interface ZipEntry {
  name: string;
  content: Uint8Array;
  method?: number;
  flags?: number;
  /** In place of the content's length. */
  size?: number;
  compressedSize?: number;
  /** In place of where the entry is. */
  position?: number;
  /** Values of the ZIP64 field; the 32-bit fields then point to it. */
  zip64?: { size: bigint; position: bigint };
}

/** A zip archive of entries as they are told, and with `directory` in place of the end's true fields. */
export function zip(
  entries: readonly ZipEntry[],
  directory: { count?: number; length?: number; position?: number } = {},
) {
  const files: Uint8Array[] = [];
  const records: Uint8Array[] = [];
  let position = 0;
  for (const { name, content, method = 0, flags = 0, zip64, ...told } of entries) {
    const size = zip64 ? 0xffffffff : (told.size ?? content.length);
    const compressedSize = zip64 ? 0xffffffff : (told.compressedSize ?? size);
    const nameBytes = Buffer.from(name);
    const shared = bytesOf(
      little(20, 2),
      little(flags, 2),
      little(method, 2),
      new Uint8Array(8),
      little(compressedSize, 4),
      little(size, 4),
      little(nameBytes.length, 2),
    );
    const extra = zip64
      ? bytesOf(little(1, 2), little(24, 2), little(zip64.size, 8), little(zip64.size, 8), little(zip64.position, 8))
      : new Uint8Array();
    const file = bytesOf('PK\x03\x04', shared, little(0, 2), nameBytes, content);
    const at = zip64 ? 0xffffffff : (told.position ?? position);
    records.push(
      bytesOf(
        'PK\x01\x02',
        little(20, 2),
        shared,
        little(extra.length, 2),
        new Uint8Array(10),
        little(at, 4),
        nameBytes,
        extra,
      ),
    );
    files.push(file);
    position += file.length;
  }
  const records_ = bytesOf(...records);
  return bytesOf(
    ...files,
    records_,
    'PK\x05\x06',
    new Uint8Array(4),
    little(directory.count ?? entries.length, 2),
    little(directory.count ?? entries.length, 2),
    little(directory.length ?? records_.length, 4),
    little(directory.position ?? position, 4),
    little(0, 2),
  );
}

/** A file of `torch.save` with this pickle and these storages. */
export function torchFile(pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  return zip([
    { name: 'archive/data.pkl', content: pickle },
    { name: 'archive/byteorder', content: bytesOf('little') },
    ...Object.entries(storages).map(([key, content]) => ({ name: `archive/data/${key}`, content })),
  ]);
}

/** Pieces of pickles of protocol 2. */
export const pickle = {
  program: (...parts: readonly (number | string | Uint8Array)[]) => bytesOf(0x80, 2, ...parts, '.'),
  text: (text: string) => bytesOf('X', little(Buffer.byteLength(text), 4), Buffer.from(text)),
  integer: (value: number | bigint) => bytesOf(0x8a, 8, little(value, 8)),
  tuple: (...items: readonly (string | Uint8Array)[]) => bytesOf('(', ...items, 't'),
  global: (module: string, name: string) => bytesOf('c', module, '\n', name, '\n'),
  dict: (...items: readonly (string | Uint8Array)[]) => bytesOf('}(', ...items, 'u'),
  call: (callable: Uint8Array, ...args: readonly (string | Uint8Array)[]) =>
    bytesOf(callable, pickle.tuple(...args), 'R'),
  storage: (key: string, elements: number | bigint, type = 'FloatStorage') =>
    bytesOf(
      pickle.tuple(
        pickle.text('storage'),
        pickle.global('torch', type),
        pickle.text(key),
        pickle.text('cpu'),
        pickle.integer(elements),
      ),
      'Q',
    ),
  tensor: (
    storage: Uint8Array,
    shape: readonly (number | bigint)[],
    strides: readonly (number | bigint)[],
    offset: number | bigint = 0,
  ) =>
    pickle.call(
      pickle.global('torch._utils', '_rebuild_tensor_v2'),
      storage,
      pickle.integer(offset),
      pickle.tuple(...shape.map(pickle.integer)),
      pickle.tuple(...strides.map(pickle.integer)),
      bytesOf(0x89),
      pickle.call(pickle.global('collections', 'OrderedDict')),
    ),
};
