import { createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { HostError } from '../error.js';
import { Connection, defaultSilence } from './connection.js';

/** Who meets at a {@link Coordinator}, and where. */
export interface CoordinatorOptions {
  /** The number of hosts. */
  readonly size: number;
  /** Default: any free port. */
  readonly port?: number | undefined;
  /** What clients must know. Default: nothing. */
  readonly token?: string | undefined;
  /** Seconds without a sign of life after which a host counts as lost. Default 60. */
  readonly silenceSeconds?: number | undefined;
}

/** A request of a client. */
export type Request =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'get'; readonly key: string; readonly seconds: number }
  | { readonly kind: 'gather'; readonly round: number; readonly value: unknown };

type Message =
  | { readonly kind: 'join'; readonly rank: number; readonly host: string; readonly token: string }
  | { readonly kind: 'leave' }
  | { readonly kind: 'fail'; readonly reason: string }
  | (Request & { readonly id: number });

interface Member {
  readonly connection: Connection;
  readonly host: string;
}

/**
 * The meeting point of all hosts, on rank 0: a key-value store, the exchange of values between all hosts, and the watch over them. When a
 * host is lost, all others are told.
 */
export class Coordinator {
  /** The port that it listens at. */
  readonly port: number;
  private readonly members = new Map<number, Member>();
  private readonly left = new Set<number>();
  private readonly values = new Map<string, string>();
  private readonly waiting = new Map<string, Set<(value: string) => void>>();
  private readonly rounds = new Map<number, { rank: number; value: unknown; reply: (values: unknown[]) => void }[]>();
  private lost: string | undefined;

  private constructor(
    private readonly server: Server,
    private readonly options: CoordinatorOptions,
  ) {
    this.port = (server.address() as { port: number }).port;
    server.on('connection', (socket) => this.accept(socket));
  }

  /**
   * Starts to listen.
   *
   * @throws HostError if the port is in use.
   */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', ({ code }: NodeJS.ErrnoException) =>
        reject(new HostError(`Rank 0 cannot listen at port ${options.port}: ${code}. Choose another port.`)),
      );
      server.listen(options.port ?? 0, resolve);
    });
    return new Coordinator(server, options);
  }

  /** Closes all connections. Without `leave` of their clients before, these take rank 0 for lost. */
  async close(): Promise<void> {
    this.server.close();
    await Promise.all([...this.members.values()].map(({ connection }) => connection.close()));
  }

  /** Tells all hosts that one ends, and why. */
  fail(rank: number, reason: string): void {
    this.left.add(rank);
    this.tellLost(`${this.nameOf(rank)} failed: ${reason.replace(/\.$/, '')}.`);
  }

  private accept(socket: Socket): void {
    let rank: number | undefined;
    const connection = new Connection(socket, this.options.silenceSeconds ?? defaultSilence, {
      onMessage: (message) => {
        if (rank === undefined) rank = this.join(connection, message as unknown as Message);
        else this.handle(rank, message as unknown as Message);
      },
      onEnd: (reason) => {
        if (rank !== undefined && !this.left.has(rank)) this.lose(rank, reason);
      },
    });
  }

  /** Returns the rank of a host that joins, or refuses it. */
  private join(connection: Connection, message: Message): number | undefined {
    const { token = '', size } = this.options;
    const refuse = (reason: string) => {
      connection.send({ refused: reason });
      void connection.close();
      return undefined;
    };
    if (message.kind !== 'join' || message.token !== token) return refuse('it belongs to another run');
    const { rank, host } = message;
    if (!(Number.isInteger(rank) && rank >= 0 && rank < size))
      return refuse(`the rank must be from 0 to ${size - 1}, not ${rank}`);
    const other = this.members.get(rank);
    if (other) return refuse(`rank ${rank} has joined already, on ${other.host}`);
    this.members.set(rank, { connection, host });
    connection.send({ joined: hostname() });
    if (this.lost !== undefined) connection.send({ lost: this.lost });
    return rank;
  }

  private handle(rank: number, message: Message): void {
    const { connection } = this.members.get(rank)!;
    switch (message.kind) {
      case 'put':
        this.put(message);
        connection.send({ id: message.id, value: true });
        break;
      case 'get':
        this.get(message, (value) => connection.send({ id: message.id, value }));
        break;
      case 'gather':
        this.gather(rank, message, (values) => connection.send({ id: message.id, value: values }));
        break;
      case 'leave':
        this.left.add(rank);
        break;
      case 'fail':
        this.fail(rank, message.reason);
    }
  }

  private put({ key, value }: Request & { kind: 'put' }): void {
    this.values.set(key, value);
    for (const give of this.waiting.get(key) ?? []) give(value);
    this.waiting.delete(key);
  }

  private get({ key, seconds }: Request & { kind: 'get' }, reply: (value: string | null) => void): void {
    const value = this.values.get(key);
    if (value !== undefined || seconds <= 0) {
      reply(value ?? null);
      return;
    }
    const waiting = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, waiting);
    const give = (found: string | null) => {
      clearTimeout(timer);
      reply(found);
    };
    const timer = setTimeout(() => {
      waiting.delete(give);
      reply(null);
    }, 1000 * seconds);
    waiting.add(give);
  }

  private gather(
    rank: number,
    { round, value }: Request & { kind: 'gather' },
    reply: (values: unknown[]) => void,
  ): void {
    const entries = this.rounds.get(round) ?? [];
    this.rounds.set(round, entries);
    entries.push({ rank, value, reply });
    if (entries.length < this.options.size) return;
    this.rounds.delete(round);
    const values = entries.sort((a, b) => a.rank - b.rank).map((entry) => entry.value);
    for (const entry of entries) entry.reply(values);
  }

  private lose(rank: number, reason: string): void {
    this.left.add(rank);
    this.tellLost(`${this.nameOf(rank)} was lost: ${reason}.`);
  }

  private tellLost(text: string): void {
    if (this.lost !== undefined) return;
    this.lost = text;
    for (const [rank, { connection }] of this.members) if (!this.left.has(rank)) connection.send({ lost: text });
  }

  private nameOf(rank: number): string {
    return `rank ${rank} on ${this.members.get(rank)!.host}`;
  }
}
