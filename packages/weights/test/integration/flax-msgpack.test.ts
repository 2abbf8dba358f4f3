import { fromFloat32, readCheckpoint, type StoredTensor, writeFlaxMsgpack } from '@dalle-mini/weights';
import { expect, test } from 'vitest';

test('what writeFlaxMsgpack gives is read again, with 70,000 tensors, as many elements and long names', () => {
  const count = 70_000;
  const one = fromFloat32(Float32Array.of(1), [1]);
  const tensors = new Map<string, StoredTensor>();
  for (let i = 0; i < count; i++) tensors.set(`layer ${'x'.repeat(300)} ${i}`, one);
  tensors.set('wide', fromFloat32(new Float32Array(count), [1, count]));
  expect(readCheckpoint(writeFlaxMsgpack(tensors)).tensors).toEqual(tensors);
});
