import { Coordinator } from '@dalle-mini/hosts';
import { XlaRuntime } from '@dalle-mini/xla';
import { describe, expect, test } from 'vitest';
import { joinXlaHosts } from '../src/runtime/hosts.js';

/** Returns an address with a port that is free. */
async function freeAddress(): Promise<string> {
  const coordinator = await Coordinator.start({ size: 1 });
  await coordinator.close();
  return `127.0.0.1:${coordinator.port}`;
}

describe('hosts with GPUs', () => {
  test('meet at the coordinator, and give their plugins their number and the store', async () => {
    const coordinator = await freeAddress();
    const hosts = await Promise.all([0, 1, 2].map((rank) => joinXlaHosts({ coordinator, rank, size: 3 })));
    expect(hosts.map(({ options }) => options)).toEqual([0, 1, 2].map((rank) => ({ node_id: rank, num_nodes: 3 })));
    for (const { store } of hosts)
      for (const address of Object.values(store.callbacks)) expect(address).toBeGreaterThan(0n);
    await Promise.all(hosts.map(({ store }) => store.dispose()));
    for (const host of hosts.reverse()) await host.leave();
  });

  test('name the host that is missing', async () => {
    const coordinator = await freeAddress();
    await expect(joinXlaHosts({ coordinator, rank: 0, size: 2, startSeconds: 0.05 })).rejects.toThrow(
      /^All 2 hosts must start within 0\.05 seconds, but rank 1 has not/,
    );
    await expect(joinXlaHosts({ coordinator, rank: 1, size: 2, startSeconds: 0.05 })).rejects.toThrow(
      /^Rank 1 on .* must reach rank 0 at 127\.0\.0\.1:\d+ within 0\.05 seconds/,
    );
  });

  test('need a coordinator with a port, a rank below their number, and CUDA', async () => {
    const open = (changes: object, device = 'cuda' as 'cuda' | 'cpu') =>
      XlaRuntime.open({ device, hosts: { coordinator: 'node-a:1', rank: 0, size: 2, ...changes } });
    await expect(open({ coordinator: 'node-a' })).rejects.toThrow(
      'hosts.coordinator must be a host and a port, such as node-a:8476, not "node-a".',
    );
    await expect(open({ rank: 2 })).rejects.toThrow('hosts.rank must be less than size, 2, not 2.');
    await expect(open({}, 'cpu')).rejects.toThrow(/^hosts must be left out, unless device is cuda/);
  });
});
