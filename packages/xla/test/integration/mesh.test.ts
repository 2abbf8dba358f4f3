import * as g from '@dalle-mini/graph';
import { emitStableHlo, type StableHloOptions } from '@dalle-mini/graph/stablehlo';
import { float32 } from '@dalle-mini/testing/values';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaRuntime } from '@dalle-mini/xla';
import { expect, test } from 'vitest';
import { PjrtClient } from '../../src/pjrt/client.js';
import { PjrtLibrary } from '../../src/pjrt/library.js';

const x = g.input('x', [4, 2]);
const w = g.input('w', [2, 2]);
const graph: g.Graph = { inputs: { x, w }, outputs: { y: g.sum(g.matmul(x, w), { axes: [0] }) } };
const rows = [1, 2, 3, 4, 5, 6, 7, 8];
const weights = [1, 2, 3, 4];
// The sums of the columns of x are 16 and 20.
const expected = [16 + 20 * 3, 16 * 2 + 20 * 4];

describeXla('a mesh of devices', () => {
  async function compute(options: StableHloOptions, parts: (device: number) => [number[], number[]]) {
    const client = await PjrtClient.create(await PjrtLibrary.load(cpuPlugin), { cpu_device_count: 4 });
    const executable = await client.compile(emitStableHlo(graph, options));
    const inputs = client.devices.map((_, device) => {
      const [ours, matrix] = parts(device);
      const [n, m] = [ours.length / 2, matrix.length / 2];
      return [client.upload(float32([n, 2], ours), device), client.upload(float32([2, m], matrix), device)];
    });
    const results = await executable.execute(inputs);
    const values = await Promise.all(results.map(async ([y]) => [...(await y!.download()).data]));
    await client.dispose();
    return values;
  }

  test('divides a batch, and adds up what the devices computed', async () => {
    const values = await compute(
      { mesh: { data: 4 }, sharding: (name) => (name === 'x' ? [['data'], []] : undefined) },
      (device) => [rows.slice(2 * device, 2 * device + 2), weights],
    );
    expect(values).toEqual(Array(4).fill(expected));
  });

  test('divides a batch and a matrix', async () => {
    const shardings: Record<string, readonly (readonly string[])[]> = {
      x: [['data'], []],
      w: [[], ['model']],
      y: [['model']],
    };
    const values = await compute({ mesh: { data: 2, model: 2 }, sharding: (name) => shardings[name] }, (device) => {
      const [row, column] = [Math.floor(device / 2), device % 2];
      return [rows.slice(4 * row, 4 * row + 4), [weights[column]!, weights[2 + column]!]];
    });
    expect(values).toEqual([[expected[0]], [expected[1]], [expected[0]], [expected[1]]]);
  });

  test('needs as many devices as it has', async () => {
    const client = await PjrtClient.create(await PjrtLibrary.load(cpuPlugin), { cpu_device_count: 2 });
    await expect(client.compile(emitStableHlo(graph, { mesh: { data: 4 } }))).rejects.toThrow(
      'The mesh has 4 devices, but this computer has 2. Use a smaller mesh.',
    );
    await client.dispose();
  });

  test('reports what XLA refuses, and works afterwards', async () => {
    const client = await PjrtClient.create(await PjrtLibrary.load(cpuPlugin));
    const module = emitStableHlo(graph);
    const text = module.text.replace('stablehlo.dot_general', 'stablehlo.unknown');
    await expect(client.compile({ ...module, text })).rejects.toMatchObject({ code: 'XLA', status: 'UNKNOWN' });
    await client.compile(module);
    await client.dispose();
  });

  test('refuses arguments of another type, number or client, and what was disposed of', async () => {
    const library = await PjrtLibrary.load(cpuPlugin);
    const [client, other] = [await PjrtClient.create(library), await PjrtClient.create(library)];
    const executable = await client.compile(emitStableHlo(graph));
    const [a, b] = [client.upload(float32([4, 2], rows)), client.upload(float32([2, 2], weights))];
    await expect(executable.execute([[a]])).rejects.toThrow('There must be 2 arguments, not 1.');
    await expect(executable.execute([[b, a]])).rejects.toThrow('Argument x must be a buffer of this client');
    await expect(executable.execute([[a, other.upload(float32([2, 2], weights))]])).rejects.toThrow('Argument w');
    await expect(executable.execute([])).rejects.toThrow('The arguments must be for 1 devices, not 0.');
    a.dispose();
    await expect(executable.execute([[a, b]])).rejects.toThrow('after it was disposed of');
    await other.dispose();
    await client.dispose();
    expect(() => client.upload(float32([], [1]))).toThrow('disposed of');
  });
});

describeXla('a runtime with a mesh', () => {
  const options = { plugin: cpuPlugin, cache: { maxBytes: 0 } } as const;
  const weight = g.input('weight', [4, 2]);
  const samples = g.input('samples', [1, 8, 4]);
  const sums = g.sum(g.matmul(g.reshape(samples, [8, 4]), weight), { axes: [0] });
  const next = g.add(weight, sums);
  const training: g.Graph = { inputs: { weight, samples }, outputs: { weight: next, sums } };
  const roles: g.TensorRoles = {
    sampleAxes: { samples: 1 },
    parameterOf: new Map([['weight', 'weight']]),
    values: new Map([[weight, 'weight']]),
    gradients: new Map(),
    joined: new Set(),
  };
  const values = { weight: float32([4, 2], rows) };
  const batch = { samples: float32([1, 8, 4], Array(32).fill(1)) };

  test.each([
    ['on one device', undefined, undefined],
    ['on 4 devices', { data: 4 }, 'replicated'],
    ['with a divided parameter', { data: 2, model: 2 }, [{ match: 'weight', axes: ['model', 'data'] }]],
    [
      'with a parameter that is divided over all devices',
      { data: 2, model: 2 },
      [{ match: '*', axes: [null, 'model'] }],
    ],
  ] as const)('computes with divided batches and state: %s', async (_, mesh, sharding) => {
    await using runtime = await XlaRuntime.open({ ...options, mesh, sharding });
    const state = await (await runtime.compile(training, { roles })).holdState(values);
    // The columns of the weight add up to 16 and 20.
    const outputs = await state.run(batch);
    expect(outputs).toEqual({ sums: float32([2], [8 * 16, 8 * 20]) });
    const after = rows.map((value, i) => value + [128, 160][i % 2]!);
    expect(await state.read()).toEqual({ weight: float32([4, 2], after) });
    await state.write(values);
    expect(await state.run(batch)).toEqual(outputs);
  });

  test('computes graphs without roles on its first device', async () => {
    await using runtime = await XlaRuntime.open({ ...options, mesh: { data: 2 } });
    const { y } = await (await runtime.compile(graph)).run({ x: float32([4, 2], rows), w: float32([2, 2], weights) });
    expect(y).toEqual(float32([2], expected));
  });

  test('refuses batches that it cannot divide', async () => {
    await using runtime = await XlaRuntime.open({ ...options, mesh: { data: 3 } });
    const executable = await runtime.compile(training, { roles });
    await expect(executable.holdState(values)).rejects.toThrow(
      'Axis 1 of samples, of size 8, must be a multiple of 3 to be divided over data.',
    );
  });
});
