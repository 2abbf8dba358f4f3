import { OptionError } from '@dalle-mini/core';
import * as g from '@dalle-mini/graph';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaError, XlaTopology } from '@dalle-mini/xla';
import { findPlugins } from '@dalle-mini/xla/plugins';
import { describe, expect, test } from 'vitest';

const tpu = (await findPlugins()).find(({ device }) => device === 'tpu');
const missing = ' (skipped: no plugin; install one with "dalle-mini accelerator install tpu")';

const x = g.input('x', [128, 256]);
const w = g.input('w', [256, 256]);
const graph: g.Graph = { inputs: { x, w }, outputs: { y: g.sum(g.matmul(x, w), { axes: [0] }) } };

describe.skipIf(!tpu)(`compiling for TPUs that are not there${tpu ? '' : missing}`, () => {
  test('tells the memory of each device, and counts what they send each other', async () => {
    const topology = await XlaTopology.open({ device: 'tpu', topology: 'v4:2x2x2' });
    expect(topology).toMatchObject({ devices: 16, hosts: 2 });
    const { memory, collectives } = await topology.compile(graph, {
      mesh: { data: 16 },
      sharding: (name) => (name === 'x' ? [['data'], []] : undefined),
    });
    // Arrays on TPUs are padded to tiles of 8 × 128 elements, which both of these fill.
    expect(memory.arguments).toBe(4 * (8 * 256 + 256 * 256));
    expect(collectives).toEqual({ 'all-reduce': 1 });
    topology.dispose();
  });

  test('needs a mesh of all devices, and a topology that the plugin knows', async () => {
    const topology = await XlaTopology.open({ device: 'tpu', topology: 'v3:2x2' });
    await expect(topology.compile(graph, { mesh: { data: 4 } })).rejects.toThrow(
      'The mesh must have the 8 devices of the topology, not 4.',
    );
    topology.dispose();
    await expect(XlaTopology.open({ device: 'tpu', topology: 'v99:2x2' })).rejects.toThrow(XlaError);
  });
});

describeXla('a topology', () => {
  test('needs its options', async () => {
    await expect(XlaTopology.open({ device: 'tpu' } as never)).rejects.toThrow(OptionError);
    await expect(XlaTopology.open({ device: 'cpu', topology: 'none', plugin: cpuPlugin })).rejects.toThrow(XlaError);
  });
});
