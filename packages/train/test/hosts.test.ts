import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { localHosts } from '@dalle-mini/testing/local-hosts';
import { grids, pictures } from '@dalle-mini/testing/tiny-training';
import { afterAll, describe, expect, test } from 'vitest';
import { positionsOf, shareOf } from '../src/run/share.js';
import { hostTrainers } from './host-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { trainOn } = hostTrainers(runtime);

const short = { steps: 15, checkpointEvery: 5, evaluateEvery: 15 };

describe('a batch is divided among hosts', () => {
  test.each([1, 2, 3, 5, 8])('of %i, each position is read once', (size) => {
    const shares = localHosts(size).map((hosts) => shareOf(8, hosts));
    expect(
      Math.max(...shares.map((share) => share.size)) - Math.min(...shares.map((share) => share.size)),
    ).toBeLessThan(2);
    const positions = shares.flatMap((share) => positionsOf(share, 3, 2));
    expect(positions.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => 48 + i));
  });

  test('a host alone reads all of them in order', () => {
    expect(positionsOf(shareOf(3), 2, 2)).toEqual([12, 13, 14, 15, 16, 17]);
  });
});

describe('training on several hosts', () => {
  test('refuses hosts that differ, and names them and what differs', async () => {
    const differing = async (each: (rank: number) => object) => {
      const ended = await trainOn(2, 'decoder', short, each);
      return ended.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'trained'));
    };
    const seeds = await differing((rank) => ({ seed: 3 + rank }));
    expect(seeds[0]).toBe(seeds[1]);
    expect(seeds[0]).toContain('seed is 3 on rank 0 and 4 on rank 1');
    expect((await differing((rank) => ({ dataset: grids(96 - rank) })))[0]).toContain(
      'data.length is 96 on rank 0 and 95 on rank 1',
    );
    expect((await differing((rank) => ({ dataset: grids(96, rank) })))[0]).toContain('samples is');
  });

  test('needs a sample in every batch for each host', async () => {
    const [ended] = await trainOn(9, 'vqgan', { ...short, dataset: pictures(96) });
    expect(ended).toMatchObject({
      reason: { message: expect.stringMatching(/config.batchSize must be at least 9, the number of hosts, not 8/) },
    });
  });
});
