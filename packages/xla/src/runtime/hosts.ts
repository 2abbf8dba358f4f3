/** Several hosts whose GPUs work together: PJRT's key-value store on rank 0, with which their plugins find each other. */
import { integer, number, object, optional, refuse, string } from '@dalle-mini/core';
import { Coordinator, CoordinatorClient } from '@dalle-mini/hosts';
import { KeyValueStore } from '../pjrt/key-value-store.js';
import type { PluginOptions } from '../pjrt/structs.js';

/** A process of several, one on each host. All of them open their runtime at the same time. */
export interface XlaHosts {
  /** Where all hosts reach rank 0, such as `node-a:8476`. Rank 0 listens there. */
  readonly coordinator: string;
  /** The number of this process, from 0. */
  readonly rank: number;
  /** The number of processes. */
  readonly size: number;
  /** Seconds within which all hosts must have opened their runtime. Default 300. */
  readonly startSeconds?: number | undefined;
}

export const xlaHostsField = object<XlaHosts>(
  {
    coordinator: string(),
    rank: integer(),
    size: integer({ min: 1 }),
    startSeconds: optional(number({ above: 0 })),
  },
  {
    check({ coordinator, rank, size }, at) {
      if (!/^.+:\d+$/.test(coordinator))
        refuse(at('coordinator'), 'a host and a port, such as node-a:8476', coordinator);
      if (rank >= size) refuse(at('rank'), `less than size, ${size}`, rank);
    },
  },
);

/** The connection to the other hosts. */
export interface JoinedHosts {
  /** Options of the plugin's client. */
  readonly options: PluginOptions;
  readonly store: KeyValueStore;
  /** Leaves the other hosts, after the client was destroyed. */
  leave(): Promise<void>;
}

/**
 * Joins the other hosts.
 *
 * @throws HostError if a host is missing.
 */
export async function joinXlaHosts({ coordinator, rank, size, startSeconds }: XlaHosts): Promise<JoinedHosts> {
  const port = Number(coordinator.slice(coordinator.lastIndexOf(':') + 1));
  const server = rank === 0 ? await Coordinator.start({ size, port }) : undefined;
  const address = rank === 0 ? `localhost:${port}` : coordinator;
  const client = await CoordinatorClient.join({ addresses: [address], rank, startSeconds });
  const leave = async () => {
    await client.leave();
    await server?.close();
  };
  try {
    // Plugins wait for a missing host for ever, or end the process.
    await client.meet(size);
    return { options: { node_id: rank, num_nodes: size }, store: await KeyValueStore.open(client), leave };
  } catch (error) {
    await leave();
    throw error;
  }
}
