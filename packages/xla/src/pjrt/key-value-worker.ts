/**
 * A thread that answers XLA when it asks for the key-value store of several hosts. XLA's own threads call, and wait for the answer. So this
 * thread waits too, and the main thread, which has the connection to the store, stays free.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';
import { keyValueCallbacks, type PjrtFunction, statuses } from './abi.js';

/** A question to the store. Keys and values are bytes, as text in Latin-1. */
export type KeyValueRequest =
  | { readonly kind: 'get'; readonly key: string; readonly seconds: number }
  | { readonly kind: 'put'; readonly key: string; readonly value: string };

/** The answer: a value, if there is one, or why there is no answer. */
export interface KeyValueReply {
  readonly value?: string | undefined;
  readonly error?: string | undefined;
}

export type KeyValueKind = keyof typeof keyValueCallbacks;

export interface KeyValueWorkerData {
  /** Becomes 1 when the reply is there. */
  readonly answered: Int32Array;
}

const { answered } = workerData as KeyValueWorkerData;
const port = parentPort as unknown as MessagePort;
const library = koffi.load(null);
const allocate = library.func('malloc', 'void *', ['size_t']);
const free = koffi.address(library.symbol('free'));
const callback = koffi.proto('void *', ['void *']);
const makeError = koffi.proto('void *', ['int', 'const char *', 'size_t']);

/** The struct of a call. */
class Call {
  private readonly view: DataView;

  constructor(
    address: bigint,
    private readonly layout: PjrtFunction,
  ) {
    this.view = new DataView(koffi.view(address, layout.size));
  }

  text(at: string, size: string): string {
    const [address, bytes] = [this.get(at), Number(this.get(size))];
    return bytes === 0 ? '' : Buffer.from(koffi.view(address, bytes)).toString('latin1');
  }

  /** Reads a time in milliseconds. */
  seconds(at: string): number {
    return this.view.getInt32(this.layout.fields[at]!, true) / 1000;
  }

  /** Gives a value, in memory that XLA frees with the function of the last field. */
  give(value: string): null {
    const bytes = Buffer.from(value, 'latin1');
    const memory = allocate(Math.max(1, bytes.length)) as bigint;
    if (bytes.length > 0) new Uint8Array(koffi.view(memory, bytes.length)).set(bytes);
    this.set('value', memory);
    this.set('valueSize', BigInt(bytes.length));
    this.set('deleter', free);
    return null;
  }

  /** Returns an error of XLA. */
  fail(status: string, message: string): bigint {
    const [maker] = new BigUint64Array(koffi.view(this.get('makeError'), 8).slice(0));
    return koffi.decode(maker!, makeError)(statuses.indexOf(status), message, Buffer.byteLength(message)) as bigint;
  }

  private get(field: string): bigint {
    return this.view.getBigUint64(this.layout.fields[field]!, true);
  }

  private set(field: string, value: bigint): void {
    this.view.setBigUint64(this.layout.fields[field]!, value, true);
  }
}

function ask(request: KeyValueRequest): KeyValueReply {
  port.postMessage(request);
  Atomics.wait(answered, 0, 0);
  Atomics.store(answered, 0, 0);
  return receiveMessageOnPort(port)!.message as KeyValueReply;
}

function get(call: Call, seconds: number, missing: string): bigint | null {
  const key = call.text('key', 'keySize');
  const { value, error } = ask({ kind: 'get', key, seconds });
  if (error !== undefined) return call.fail('UNAVAILABLE', error);
  return value === undefined
    ? call.fail(missing, `No host has set ${key} within ${seconds} seconds.`)
    : call.give(value);
}

const answers: Record<KeyValueKind, (call: Call) => bigint | null> = {
  get: (call) => get(call, call.seconds('timeout'), 'DEADLINE_EXCEEDED'),
  tryGet: (call) => get(call, 0, 'NOT_FOUND'),
  put(call) {
    const { error } = ask({ kind: 'put', key: call.text('key', 'keySize'), value: call.text('value', 'valueSize') });
    return error === undefined ? null : call.fail('UNAVAILABLE', error);
  },
};

const addresses = Object.entries(answers).map(([kind, answer]) => {
  const layout = keyValueCallbacks[kind as KeyValueKind];
  const registered = koffi.register((address: bigint) => answer(new Call(address, layout)), koffi.pointer(callback));
  return [kind, koffi.address(registered)];
});
port.postMessage(Object.fromEntries(addresses));
// Keeps the thread alive, without taking the replies from `ask`.
setInterval(() => undefined, 2 ** 30);
