import { setTimeout as sleep } from 'node:timers/promises';
import { Coordinator, CoordinatorClient } from '@dalle-mini/hosts';
import { loadKoffi } from '@dalle-mini/hosts/koffi';
import { afterEach, describe, expect, test } from 'vitest';
import { keyValueCallbacks, statuses } from '../src/pjrt/abi.js';
import { KeyValueStore, type KeyValues } from '../src/pjrt/key-value-store.js';
import type { KeyValueKind } from '../src/pjrt/key-value-worker.js';

const koffi = await loadKoffi();

const opened: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.dispose()));
});

const proto = koffi.proto('void *', ['void *']);
const errors: string[] = [];
/** Makes errors as a plugin does. Returns their number. */
const makeError = koffi.register(
  (status: number, message: string) => BigInt(errors.push(`${statuses[status]}: ${message}`)),
  koffi.pointer(koffi.proto('void *', ['int', 'const char *', 'size_t'])),
);
const errorPointer = BigUint64Array.of(koffi.address(makeError));

/** Calls a function of a store as a plugin does: on a thread that waits. Returns the value, or throws the error. */
async function call(
  store: KeyValueStore,
  kind: KeyValueKind,
  key: string,
  more: { value?: string; timeout?: number } = {},
) {
  const { size, fields } = keyValueCallbacks[kind];
  const view = new DataView(new ArrayBuffer(size));
  const memory = [key, more.value ?? ''].map((text) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(1)]));
  const at = fields as Record<string, number>;
  view.setBigUint64(at.key!, koffi.address(memory[0]!), true);
  view.setBigUint64(at.keySize!, BigInt(key.length), true);
  view.setBigUint64(at.makeError!, koffi.address(errorPointer), true);
  if (kind === 'put') {
    view.setBigUint64(at.value!, koffi.address(memory[1]!), true);
    view.setBigUint64(at.valueSize!, BigInt(more.value!.length), true);
  }
  if (kind === 'get') view.setInt32(at.timeout!, more.timeout ?? 0, true);
  const called = koffi.decode(store.callbacks[kind], proto);
  const error = await new Promise<bigint | null>((resolve, reject) => {
    called.async(koffi.address(new Uint8Array(view.buffer)), (failure: Error | null, result: bigint | null) =>
      failure ? reject(failure) : resolve(result),
    );
  });
  if (error) throw new Error(errors[Number(error) - 1]);
  if (kind === 'put') return undefined;
  const [value, length] = [view.getBigUint64(at.value!, true), Number(view.getBigUint64(at.valueSize!, true))];
  const text = length === 0 ? '' : Buffer.from(koffi.view(value, length)).toString('latin1');
  koffi.decode(view.getBigUint64(at.deleter!, true), koffi.proto('void', ['void *']))(value);
  return text;
}

async function open(values: KeyValues) {
  const store = await KeyValueStore.open(values);
  opened.push(store);
  return store;
}

/** Opens the stores of two hosts. */
async function openTwo() {
  const coordinator = await Coordinator.start({ size: 2 });
  const addresses = [`127.0.0.1:${coordinator.port}`];
  const clients = await Promise.all([0, 1].map((rank) => CoordinatorClient.join({ addresses, rank })));
  const stores = await Promise.all(clients.map(open));
  opened.push({
    async dispose() {
      await Promise.all(clients.map((client) => client.leave()));
      await coordinator.close();
    },
  });
  return { stores, coordinator };
}

describe('a plugin reads and writes the key-value store', () => {
  test('bytes that one host puts are those that another one gets', async () => {
    const { stores } = await openTwo();
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    await call(stores[0]!, 'put', 'topology', { value: bytes });
    expect(await call(stores[1]!, 'get', 'topology', { timeout: 1000 })).toBe(bytes);
    expect(await call(stores[1]!, 'tryGet', 'topology')).toBe(bytes);
    await call(stores[0]!, 'put', 'empty', { value: '' });
    expect(await call(stores[1]!, 'tryGet', 'empty')).toBe('');
  });

  test('waits for a value while the event loop is free, and the same host can put', async () => {
    const { stores } = await openTwo();
    const waiting = call(stores[0]!, 'get', 'later', { timeout: 10_000 });
    await sleep(30);
    await call(stores[0]!, 'put', 'other', { value: 'x' });
    await call(stores[1]!, 'put', 'later', { value: 'here' });
    expect(await waiting).toBe('here');
  });

  test('gets an error when a value does not come in time', async () => {
    const { stores } = await openTwo();
    await expect(call(stores[0]!, 'get', 'missing', { timeout: 20 })).rejects.toThrow(
      'DEADLINE_EXCEEDED: No host has set missing within 0.02 seconds.',
    );
    await expect(call(stores[0]!, 'tryGet', 'missing')).rejects.toThrow('NOT_FOUND');
  });

  test('gets an error when a host is lost', async () => {
    const { stores, coordinator } = await openTwo();
    const lost = /^UNAVAILABLE: Rank 0 on .* was lost/;
    const told = expect(call(stores[1]!, 'get', 'never', { timeout: 60_000 })).rejects.toThrow(lost);
    await sleep(30);
    await coordinator.close();
    await told;
    await expect(call(stores[1]!, 'put', 'key', { value: 'x' })).rejects.toThrow(lost);
  });
});
