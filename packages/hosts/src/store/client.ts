import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostError } from '../error.js';
import { Connection, defaultSilence } from './connection.js';
import type { Request } from './server.js';

/** Where a host finds the coordinator, and how it joins. */
export interface CoordinatorClientOptions {
  /** Where the coordinator may be found, each `host:port`: the first that answers is taken. */
  readonly addresses: readonly string[];
  /** The number of this host, from 0. */
  readonly rank: number;
  /** That of the coordinator. Default: none. */
  readonly token?: string | undefined;
  /** Seconds within which the coordinator must answer. Default 300. */
  readonly startSeconds?: number | undefined;
  /** Seconds without a sign of life after which rank 0 counts as lost. Default 60. */
  readonly silenceSeconds?: number | undefined;
}

const defaultStart = 300;
/** Milliseconds between attempts to connect. */
const pause = 250;

/** The connection of a host to the coordinator. */
export class CoordinatorClient {
  private readonly pending = new Map<number, (value: unknown) => void>();
  /** Functions that reject what waits. */
  private readonly guarded = new Set<(error: HostError) => void>();
  private lastId = 0;
  private rounds = 0;
  private failure: HostError | undefined;
  private connection!: Connection;

  private constructor(private readonly options: CoordinatorClientOptions) {}

  /**
   * Joins the other hosts.
   *
   * @throws HostError if the coordinator does not answer in time, or refuses.
   */
  static async join(options: CoordinatorClientOptions): Promise<CoordinatorClient> {
    const { addresses, startSeconds = defaultStart } = options;
    const end = performance.now() + 1000 * startSeconds;
    for (;;) {
      const attempts = addresses.map((address) => CoordinatorClient.joinAt(address, options));
      const joined = await Promise.any(attempts).catch((error: AggregateError) => error.errors as Error[]);
      if (!Array.isArray(joined)) return joined;
      const refusal = joined.find((error) => error instanceof HostError);
      if (refusal && addresses.length === 1) throw refusal;
      if (performance.now() > end)
        throw new HostError(
          `Rank ${options.rank} on ${hostname()} must reach rank 0 at ${addresses.join(' or ')} within ${startSeconds} seconds, and ` +
            `does not: ${joined.map(({ message }) => message).join('; ')}. Start rank 0, and allow TCP connections between the hosts.`,
        );
      await sleep(pause);
    }
  }

  private static async joinAt(address: string, options: CoordinatorClientOptions): Promise<CoordinatorClient> {
    const { rank, token = '', silenceSeconds = defaultSilence } = options;
    const socket = await connected(address);
    const client = new CoordinatorClient(options);
    let host: unknown;
    await new Promise<void>((resolve, reject) => {
      client.connection = new Connection(socket, silenceSeconds, {
        onMessage: (message) => {
          if (message.joined !== undefined) {
            host = message.joined;
            resolve();
          } else if (message.refused !== undefined)
            reject(new HostError(`${address} refuses rank ${rank}: ${message.refused}.`));
          else client.handle(message);
        },
        onEnd: (reason) => {
          reject(new Error(`${address} does not answer`));
          client.fail(`rank 0 on ${host} was lost: ${reason}.`);
        },
      });
      client.connection.send({ kind: 'join', rank, token, host: hostname() });
    });
    return client;
  }

  /**
   * Waits until all hosts have joined.
   *
   * @returns Their names, by rank.
   * @throws HostError that names one that is missing after `startSeconds`.
   */
  async meet(size: number): Promise<string[]> {
    const { rank, startSeconds = defaultStart } = this.options;
    const end = performance.now() + 1000 * startSeconds;
    const keyOf = (host: number) => `dalle-mini/hosts/${host}`;
    await this.put(keyOf(rank), hostname());
    const names: string[] = [];
    for (let host = 0; host < size; host++) {
      const name = await this.get(keyOf(host), Math.max(0, (end - performance.now()) / 1000));
      if (name === undefined)
        throw new HostError(
          `All ${size} hosts must start within ${startSeconds} seconds, but rank ${host} has not. Start it, or fewer hosts, and allow ` +
            'TCP connections to rank 0.',
        );
      names.push(name);
    }
    return names;
  }

  /** Sets a value for all hosts. */
  async put(key: string, value: string): Promise<void> {
    await this.request({ kind: 'put', key, value });
  }

  /** Returns a value that a host has set, or `undefined` if none has after some seconds. */
  async get(key: string, seconds = 0): Promise<string | undefined> {
    return ((await this.request({ kind: 'get', key, seconds })) as string | null) ?? undefined;
  }

  /** Returns a value of each host, by rank: plain JSON. */
  async gather<Value>(value: Value): Promise<Value[]> {
    return (await this.request({ kind: 'gather', round: this.rounds++, value })) as Value[];
  }

  /** Waits for something that would wait for ever if a host is lost: then it rejects with a `HostError`. */
  guard<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      this.guarded.add(reject);
      work.then(resolve, reject).finally(() => this.guarded.delete(reject));
    });
  }

  /** Leaves the other hosts without disturbing them. */
  async leave(): Promise<void> {
    this.connection.send({ kind: 'leave' });
    await this.connection.close();
  }

  /** Tells all other hosts to end, and why. */
  async failAll(reason: string): Promise<void> {
    if (!this.failure) this.connection.send({ kind: 'fail', reason });
    await this.connection.close();
  }

  private request(request: Request): Promise<unknown> {
    const id = ++this.lastId;
    return this.guard(
      new Promise((resolve) => {
        this.pending.set(id, resolve);
        this.connection.send({ id, ...request });
      }),
    );
  }

  private handle({ id, value, lost }: { id?: number; value?: unknown; lost?: string }): void {
    if (lost !== undefined) this.fail(lost);
    else this.pending.get(id!)?.(value);
    this.pending.delete(id!);
  }

  private fail(text: string): void {
    this.failure ??= new HostError(
      `${text[0]!.toUpperCase()}${text.slice(1)} All hosts stop. Run the same command again, on as many hosts or fewer or ` +
        'more: training resumes from its newest checkpoint.',
    );
    for (const reject of this.guarded) reject(this.failure);
    this.guarded.clear();
    this.pending.clear();
  }
}

/** Milliseconds after which an address is given up. */
const connectTime = 5000;

function connected(address: string): Promise<Socket> {
  const colon = address.lastIndexOf(':');
  const socket = connect({
    host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(colon + 1)),
  });
  return new Promise((resolve, reject) => {
    socket.setTimeout(connectTime, () => socket.destroy(new Error('it does not answer')));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(`${address}: ${error.code ?? error.message}`)),
    );
    socket.once('connect', () => {
      socket.removeAllListeners();
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}
