/** Tests of what every runtime must do, for the tests of each runtime. */
import * as g from '@dalle-mini/graph';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { float32, int32 } from './values.js';

/** Each run appends two rows, `x` times `factor`, to `rows`, and returns the column sums of all rows. */
const rows = g.input('rows', [2, 4, 3], 'float32', { dynamic: 1 });
const x = g.input('x', [2, 2, 3]);
const factor = g.input('factor', []);
const added = g.mul(x, factor);
const appending: g.Graph = {
  inputs: { rows, x, factor },
  outputs: { sums: g.sum(g.concat([added, rows], 1), { axes: [1] }), rows: added },
};
const numbers = (start: number) =>
  float32(
    [2, 2, 3],
    Array.from({ length: 12 }, (_, i) => start + i),
  );
/** The sums of two rows, twice three numbers, of `numbers(start)`. */
const sumsOf = (start: number) => [0, 1, 2, 6, 7, 8].map((i) => 2 * (start + i) + 3);

const vector = g.input('x', [3]);
const negation: g.Graph = { inputs: { x: vector }, outputs: { y: g.neg(vector) } };
const feeds = () => ({ x: float32([3], [1, 2, 3]) });

/** Tests a runtime. `open` is called once, when the tests begin. */
export function testRuntime(name: string, open: () => Promise<g.Runtime>): void {
  let runtime: g.Runtime;
  beforeAll(async () => {
    runtime = await open();
  });
  afterAll(() => runtime?.dispose());

  describe(`a run on ${name}`, () => {
    test('refuses unexpected inputs by name', async () => {
      const executable = await runtime.compile(negation);
      await expect(executable.run({})).rejects.toThrow(new g.GraphError('run: input x, float32[3], is missing.'));
      await expect(executable.run({ x: int32([3], [1, 2, 3]) })).rejects.toThrow(
        'run: input x must be float32[3], not int32[3] of 3 elements',
      );
      await expect(executable.run({ x: float32([3, 1], [1, 2, 3]) })).rejects.toThrow(
        'run: input x must be float32[3], not float32[3, 1] of 3 elements',
      );
      await expect(executable.run({ x: float32([3], [1, 2]) })).rejects.toThrow(
        'run: input x must be float32[3], not float32[3] of 2 elements',
      );
      await expect(executable.run({ ...feeds(), z: float32([], [1]) })).rejects.toThrow(
        'run: z must be an input of the graph: x.',
      );
    });

    test('does not change its inputs unless they are transferred', async () => {
      const executable = await runtime.compile(negation);
      const [kept, given] = [feeds(), feeds()];
      await executable.run(kept);
      expect(kept).toEqual(feeds());
      const { y } = await executable.run(given, { transfer: true });
      expect([...y!.data]).toEqual([-1, -2, -3]);
      expect(given.x.data.length).toBe(0);
    });

    test('accepts views of larger buffers', async () => {
      const executable = await runtime.compile(negation);
      const view = new Float32Array([9, 1, 2, 3, 9]).subarray(1, 4);
      const { y } = await executable.run({ x: { dtype: 'float32', shape: [3], data: view } });
      expect([...y!.data]).toEqual([-1, -2, -3]);
    });

    test('accepts the same buffer for several inputs, also if transferred', async () => {
      const z = g.input('z', [3]);
      const executable = await runtime.compile({ inputs: { x: vector, z }, outputs: { y: g.add(vector, z) } });
      const { x: both } = feeds();
      expect([...(await executable.run({ x: both, z: both }, { transfer: true })).y!.data]).toEqual([2, 4, 6]);
    });
  });

  describe(`disposing on ${name}`, () => {
    test('of an executable, once or twice, ends only that one', async () => {
      const [first, second] = [await runtime.compile(negation), await runtime.compile(negation)];
      await first.dispose();
      await first.dispose();
      await expect(first.run(feeds())).rejects.toThrow('this executable was disposed of');
      expect([...(await second.run(feeds())).y!.data]).toEqual([-1, -2, -3]);
    });
  });

  describe(`bound inputs on ${name}`, () => {
    test('keep their values, and appended inputs take the outputs of the same name', async () => {
      const executable = await runtime.compile(appending);
      const bound = await executable.bind({ factor: float32([], [10]) });
      const first = await bound.run({ x: numbers(0) });
      expect(Object.keys(first)).toEqual(['sums']);
      expect([...first.sums!.data]).toEqual(sumsOf(0).map((sum) => 10 * sum));
      const second = await bound.run({ x: numbers(100) });
      expect([...second.sums!.data]).toEqual(sumsOf(0).map((sum, i) => 10 * (sum + sumsOf(100)[i]!)));
      await expect(bound.run({ x: numbers(0) })).rejects.toThrow(
        'run: axis 1 of input rows must have at most 4 elements, not 6.',
      );
      await bound.dispose();
      await executable.dispose();
    });

    test('are independent of each other if bound several times', async () => {
      const executable = await runtime.compile(appending);
      const [a, b] = [await executable.bind({ factor: float32([], [1]) }), await executable.bind({})];
      await a.run({ x: numbers(0) });
      const { sums } = await b.run({ x: numbers(5), factor: float32([], [2]) });
      expect([...sums!.data]).toEqual(sumsOf(5).map((sum) => 2 * sum));
      const next = await a.run({ x: numbers(1) });
      expect([...next.sums!.data]).toEqual(sumsOf(0).map((sum, i) => sum + sumsOf(1)[i]!));
      await executable.dispose();
    });

    test('may have any length up to the largest if a run passes them', async () => {
      const executable = await runtime.compile(appending);
      const rest = { x: numbers(0), factor: float32([], [1]) };
      const none = await executable.run({ ...rest, rows: float32([2, 0, 3], []) });
      expect([...none.sums!.data]).toEqual(sumsOf(0));
      const one = await executable.run({ ...rest, rows: float32([2, 1, 3], [1, 1, 1, 2, 2, 2]) });
      expect([...one.sums!.data]).toEqual(sumsOf(0).map((sum, i) => sum + (i < 3 ? 1 : 2)));
      await expect(executable.run({ ...rest, rows: float32([2, 5, 3], Array(30).fill(0)) })).rejects.toThrow(
        'run: input rows must be float32[2, up to 4, 3], not float32[2, 5, 3] of 30 elements',
      );
      await executable.dispose();
    });

    test('are refused by name if the graph does not expect them', async () => {
      const executable = await runtime.compile(appending);
      await expect(executable.bind({ factor: float32([1], [1]) })).rejects.toThrow(
        'run: input factor must be float32[], not float32[1] of 1 elements',
      );
      await expect(executable.bind({ z: float32([], [1]) })).rejects.toThrow('z must be an input of the graph');
      await expect(executable.bind({ rows: float32([2, 0, 3], []) })).rejects.toThrow(
        'bind: input rows must be left out',
      );
      const bound = await executable.bind({});
      await expect(bound.run({ x: numbers(0) })).rejects.toThrow('run: input factor, float32[], is missing');
      await executable.dispose();
      await expect(bound.run({ x: numbers(0), factor: float32([], [1]) })).rejects.toThrow('disposed of');
    });

    test('with a dynamic axis are bound as they are if there is no output of the same name', async () => {
      const executable = await runtime.compile({
        inputs: appending.inputs,
        outputs: { sums: appending.outputs.sums! },
      });
      const bound = await executable.bind({ factor: float32([], [1]), rows: float32([2, 1, 3], [1, 1, 1, 2, 2, 2]) });
      for (let i = 0; i < 2; i++) {
        const { sums } = await bound.run({ x: numbers(0) });
        expect([...sums!.data]).toEqual(sumsOf(0).map((sum, j) => sum + (j < 3 ? 1 : 2)));
      }
      await executable.dispose();
    });

    test('are refused if the output of the same name has another shape', async () => {
      const outputs = { sums: appending.outputs.sums!, rows: g.reshape(added, [2, 3, 2]) };
      const executable = await runtime.compile({ inputs: appending.inputs, outputs });
      await expect(executable.bind({})).rejects.toThrow(
        'Output rows must be float32[2,4,3] like the input of the same name, except along axis 1, not float32[',
      );
      await executable.dispose();
    });
  });
}
