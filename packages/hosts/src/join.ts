import { randomUUID } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { number, object, optional, readOptions } from '@dalle-mini/core';
import { type Hosts, oneHost } from './hosts.js';
import { findLaunch } from './launch.js';
import { type Mpi, openMpi } from './mpi/mpi.js';
import { CoordinatorClient } from './store/client.js';
import { Coordinator } from './store/server.js';

/** How long hosts wait for each other. */
export interface JoinOptions {
  /** Seconds within which rank 0 must be reached. Default 300. */
  readonly startSeconds?: number | undefined;
  /** Seconds without a sign of life after which a host counts as lost. Default 60. */
  readonly silenceSeconds?: number | undefined;
}

const optionsField = object<JoinOptions>({
  startSeconds: optional(number({ above: 0 })),
  silenceSeconds: optional(number({ above: 0 })),
});

/**
 * Joins the other processes that `mpirun` or `srun` started with this one. Arrays are summed by MPI; a TCP connection to rank 0 carries
 * everything else, and tells when a host is lost.
 *
 * @returns `oneHost` if this process runs alone.
 * @throws HostError if MPI's library is missing or of another launcher, or if rank 0 cannot be reached.
 *
 * @example
 * ```ts
 * import { joinHosts } from '@dalle-mini/hosts';
 *
 * const hosts = await joinHosts(); // mpirun -n 4 node program.js
 * const values = Float32Array.of(hosts.rank);
 * await hosts.sum(values);
 * console.log(`${hosts.nameOf(hosts.rank)} of ${hosts.size}: ${values[0]}`); // rank 0 of 1: 0
 * await hosts.close();
 * ```
 */
export async function joinHosts(options: JoinOptions = {}): Promise<Hosts> {
  const given = readOptions(optionsField, options, 'joinHosts');
  const launch = findLaunch(process.env);
  return launch ? joinMpi(await openMpi(launch), given) : oneHost;
}

async function joinMpi(mpi: Mpi, options: JoinOptions): Promise<Hosts> {
  const { rank, size } = mpi;
  const token = randomUUID();
  const coordinator = rank === 0 ? await Coordinator.start({ size, token, ...options }) : undefined;
  const place = await shareText(mpi, JSON.stringify({ addresses: coordinator && addresses(coordinator.port), token }));
  const client = await CoordinatorClient.join({ rank, ...options, ...JSON.parse(place) });
  const names = await client.meet(size);
  let isLeaving = false;
  return {
    rank,
    size,
    sum: (values) => client.guard(explained(mpi.sum(values))),
    broadcast: (values) => client.guard(explained(mpi.broadcast(values))),
    gather: (value) => client.gather(value),
    nameOf: (other) => `rank ${other} on ${names[other]}`,
    async close() {
      if (isLeaving) return;
      isLeaving = true;
      await client.gather(null);
      mpi.finalize();
      await client.leave();
      await coordinator?.close();
    },
    async abort(reason, exitCode = 1) {
      coordinator?.fail(0, reason);
      await client.failAll(reason);
      await coordinator?.close();
      mpi.exit(exitCode);
      throw new Error('unreachable');
    },
  };
}

/** Milliseconds in which the coordinator tells which host was lost. */
const explanationTime = 3000;

/** When a host is lost, MPI may fail first. Its error, which does not name the host, waits for the one that does. */
async function explained(call: Promise<void>): Promise<void> {
  await call.catch(async (error: unknown) => {
    await sleep(explanationTime);
    throw error;
  });
}

/** Returns the text of rank 0 on all ranks. */
async function shareText(mpi: Mpi, text: string): Promise<string> {
  const bytes = new Uint8Array(sharedBytes);
  new TextEncoder().encodeInto(text.padEnd(sharedBytes), bytes);
  await mpi.broadcast(bytes);
  return new TextDecoder().decode(bytes).trimEnd();
}

/** Room for the addresses of a host. */
const sharedBytes = 8192;

/** Lists where other hosts may find this one. The loopback is for processes on this host. */
function addresses(port: number): string[] {
  const found = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  // Link-local addresses of IPv6 need the name of an interface.
  const usable = found.filter(({ scopeid }) => !scopeid);
  return usable.map(({ address, family }) => (family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`));
}
