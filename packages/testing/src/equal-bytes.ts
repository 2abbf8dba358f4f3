import { expect } from 'vitest';

/**
 * Compares typed arrays by their bytes, for all tests. Where bytes differ, vitest goes on and compares the values one by one, which takes a
 * second for a million of them.
 */
function haveEqualBytes(a: unknown, b: unknown): true | undefined {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return undefined;
  return bytesOf(a).equals(bytesOf(b)) || undefined;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);

expect.addEqualityTesters([haveEqualBytes]);
