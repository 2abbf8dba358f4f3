import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DisposedError, OptionError } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import * as g from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { runModule } from '@dalle-mini/testing/processes';
import { testRuntime } from '@dalle-mini/testing/runtime-tests';
import { float32, int32, relativeError, Values } from '@dalle-mini/testing/values';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaRuntime, type XlaRuntimeOptions } from '@dalle-mini/xla';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

const options: XlaRuntimeOptions = { plugin: cpuPlugin, cache: { maxBytes: 0 } };

const x = g.input('x', [3]);
const graph: g.Graph = { inputs: { x }, outputs: { y: g.neg(x) } };
const feeds = () => ({ x: float32([3], [1, 2, 3]) });

/** About 40 GFLOP. */
const heavy: g.Graph = (() => {
  const matrix = g.input('matrix', [1024, 1024]);
  const { carried } = g.loop(20, [matrix], (_, [state]) => ({ carried: [g.mul(g.matmul(state!, matrix), 1e-3)] }));
  return { inputs: { matrix }, outputs: { y: g.sum(carried[0]!) } };
})();
const matrix = float32(
  [1024, 1024],
  Array.from({ length: 1024 * 1024 }, (_, i) => (i % 7) / 7),
);

describeXla('XLA', () => {
  testRuntime('XLA', () => XlaRuntime.open(options));

  describe('a runtime', () => {
    let runtime: XlaRuntime;
    beforeAll(async () => {
      runtime = await XlaRuntime.open(options);
    });
    afterAll(() => runtime?.dispose());

    test('names its plugin and its devices', () => {
      expect(runtime).toMatchObject({ name: 'xla', platform: 'cpu' });
      expect(new Set(runtime.devices)).toEqual(new Set(['cpu']));
      expect(runtime.version).toMatch(/^0\.\d+$/);
    });

    test('leaves the event loop free', async () => {
      const executable = await runtime.compile(heavy);
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      await executable.run({ matrix });
      clearInterval(timer);
      // Two timers could fire before and after a blocking run.
      expect(ticks).toBeGreaterThan(5);
      await executable.dispose();
    });

    test('takes inputs from state that another executable holds, and leaves it as it is', async () => {
      const [counter, step, y] = [g.input('counter', [2]), g.input('step', [2]), g.input('y', [2])];
      const counting = await runtime.compile({ inputs: { counter, step }, outputs: { counter: g.add(counter, step) } });
      const reading = await runtime.compile({ inputs: { counter, y }, outputs: { sum: g.add(counter, y) } });
      const state = await counting.holdState({ counter: float32([2], [1, 2]) });
      const given = { y: float32([2], [10, 20]) };
      expect(await reading.run(given, { state: [state] })).toEqual({ sum: float32([2], [11, 22]) });
      await state.run({ step: float32([2], [1, 1]) });
      expect(await reading.run(given, { state: [state] })).toEqual({ sum: float32([2], [12, 23]) });
      // A value that is given comes before that of the state.
      const own = { ...given, counter: float32([2], [0, 0]) };
      expect(await reading.run(own, { state: [state] })).toEqual({ sum: float32([2], [10, 20]) });
      expect(await state.read()).toEqual({ counter: float32([2], [2, 3]) });
      expect(state.division).toBeUndefined();
      await expect(reading.run(given, { state: [{ ...state }] })).rejects.toThrow(
        'state must be held by an executable',
      );
      await counting.dispose();
      await reading.dispose();
    });

    test('computes runs one after the other', async () => {
      const slow = await runtime.compile(heavy);
      const fast = await runtime.compile(graph);
      const order: string[] = [];
      await Promise.all([
        slow.run({ matrix }).then(() => order.push('slow')),
        fast.run(feeds()).then(() => order.push('fast')),
      ]);
      expect(order).toEqual(['slow', 'fast']);
    });

    test('takes stored parameters, and refuses those of another model', async () => {
      const w = new g.ParameterScope().parameter('w', [3], { kind: 'zeros', scale: 0 });
      const scaled = { inputs: { x }, outputs: { y: g.mul(x, w) } };
      const executable = await runtime.compile(scaled, { parameters: new Map([['w', float32([3], [2, 3, 4])]]) });
      expect([...(await executable.run(feeds())).y!.data]).toEqual([2, 6, 12]);
      await expect(runtime.compile(scaled, { parameters: new Map([['w', float32([2], [2, 3])]]) })).rejects.toThrow(
        'w must be float32[3], not float32[2]',
      );
    });

    test('computes tensors without elements and without axes', async () => {
      const [none, one] = [g.input('none', [0, 3]), g.input('one', [])];
      const executable = await runtime.compile({
        inputs: { none, one },
        outputs: { a: g.exp(none), b: g.sum(none, { axes: [0] }), c: g.neg(one) },
      });
      const { a, b, c } = await executable.run({ none: float32([0, 3], []), one: float32([], [2]) });
      expect([a!.shape, [...b!.data], [...c!.data]]).toEqual([[0, 3], [0, 0, 0], [-2]]);
    });
  });

  describe('dynamic axes', () => {
    let runtimes: { readonly xla: g.Runtime; readonly onnx: g.Runtime };
    beforeAll(async () => {
      runtimes = { xla: await XlaRuntime.open(options), onnx: new OnnxRuntime({ threads: 1 }) };
    });
    afterAll(() => Promise.all(Object.values(runtimes ?? {}).map((runtime) => runtime.dispose())));

    const most = 6;
    const rows = g.input('rows', [2, most, 4], 'float32', { dynamic: 1 });
    const block = g.input('block', [2, 3, 4]);
    const table = g.constant(new Values(3).floats([5, 4]));
    const classes = (x: g.Tensor) => g.cast(g.mul(g.sigmoid(g.sum(x, { axes: [2] })), 4), 'int32');
    const lengthOf = (x: g.Tensor) => x.shape[1]!;
    const last = (x: g.Tensor) => g.transpose(x, [0, 2, 1]);
    const around = (x: g.Tensor) => g.concat([x, block, x], 1);
    const builds: Record<string, (x: g.Tensor) => g.Tensor> = {
      elementwise: (x) => g.tanh(g.add(x, g.sum(block, { axes: [1], keepDims: true }))),
      concat: around,
      slice: (x) => g.slice(around(x), [0, 2, 1], [2, lengthOf(around(x)), 3]),
      softmax: (x) => g.softmax(last(x)),
      logSoftmax: (x) => g.logSoftmax(last(x)),
      cumsum: (x) => g.cumsum(last(x)),
      sum: (x) => g.sum(x, { axes: [1] }),
      'sum of all': (x) => g.sum(x),
      max: (x) => g.max(x, { axes: [1], keepDims: true }),
      argmax: (x) => g.argmax(last(x)),
      normalize: (x) => g.normalize(last(x), 1e-5),
      'product along it': (x) => g.matmul(x, x, { transposeB: true }),
      'product over it': (x) => g.matmul(x, x, { transposeA: true }),
      reshape: (x) => g.reshape(x, [2, lengthOf(x), 2, 2]),
      gather: (x) => g.gather(table, classes(x)),
      oneHot: (x) => g.oneHot(classes(x), 4),
      loop: (x) => {
        const { carried } = g.loop(3, [g.sum(x, { axes: [1] })], (_, [state]) => ({
          carried: [g.add(state!, g.sum(g.mul(x, g.reshape(state!, [2, 1, 4])), { axes: [1] }))],
        }));
        return carried[0]!;
      },
    };

    test.each(Object.keys(builds))('are padded without a trace: %s', async (name) => {
      const build = builds[name]!;
      const xla = await runtimes.xla.compile({ inputs: { rows, block }, outputs: { y: build(rows) } });
      for (const size of [most, 4, 1]) {
        const fixed = g.input('rows', [2, size, 4]);
        const onnx = await runtimes.onnx.compile({ inputs: { rows: fixed, block }, outputs: { y: build(fixed) } });
        const values = new Values(size);
        const given = { rows: values.floats([2, size, 4]), block: values.floats([2, 3, 4]) };
        const [ours, theirs] = [(await xla.run(given)).y!, (await onnx.run(given)).y!];
        expect(ours.shape).toEqual(theirs.shape);
        expect(relativeError(ours.data, theirs.data)).toBeLessThan(1e-5);
        await onnx.dispose();
      }
      await xla.dispose();
    });

    test('of different sizes are refused where they meet', async () => {
      const more = g.input('more', [2, 6, 4], 'float32', { dynamic: 1 });
      const executable = await runtimes.xla.compile({ inputs: { rows, more }, outputs: { y: g.add(rows, more) } });
      const given = { rows: new Values(1).floats([2, 3, 4]), more: new Values(1).floats([2, 5, 4]) };
      await expect(executable.run(given)).rejects.toThrow(
        new g.GraphError(
          'run: dynamic axes that meet in an operator must have equal sizes, but rows of size 3 and more of size 5 give 3 and 5.',
        ),
      );
    });
  });

  describe('state', () => {
    const state = g.input('state', [2]);
    const by = g.input('by', [2]);
    const next = g.add(state, by);
    const counter: g.Graph = { inputs: { state, by }, outputs: { state: next, twice: g.mul(next, 2) } };

    test('stays on the device from run to run', async () => {
      await using runtime = await XlaRuntime.open(options);
      const executable = await runtime.compile(counter);
      const held = await executable.holdState({ state: float32([2], [1, 2]) });
      const outputs = [];
      for (let i = 0; i < 3; i++) outputs.push(await held.run({ by: float32([2], [1, 10]) }));
      expect(outputs.map(({ twice }) => [...twice!.data])).toEqual([
        [4, 24],
        [6, 44],
        [8, 64],
      ]);
      expect(Object.keys(outputs[0]!)).toEqual(['twice']);
      expect([...(await held.read()).state!.data]).toEqual([4, 32]);
      // It is independent of plain runs, and of other states.
      const plain = await executable.run({ state: float32([2], [0, 0]), by: float32([2], [1, 1]) });
      expect([...plain.state!.data]).toEqual([1, 1]);
      expect([...(await held.read()).state!.data]).toEqual([4, 32]);
      await held.dispose();
      await expect(held.run({ by: float32([2], [1, 1]) })).rejects.toThrow('The state is lost');
    });

    test('is copied from the device in part, and can be written', async () => {
      await using runtime = await XlaRuntime.open(options);
      const total = g.input('total', [1]);
      const graph = { inputs: { ...counter.inputs, total }, outputs: { ...counter.outputs, total: g.add(total, 1) } };
      const values = { state: float32([2], [1, 2]), total: float32([1], [0]) };
      const held = await (await runtime.compile(graph)).holdState(values, { transfer: true });
      expect(values.state.data).toHaveLength(0);
      await held.run({ by: float32([2], [0, 0]) });
      await held.write({ state: float32([2], [5, 6]) });
      expect(Object.keys(await held.read(['total']))).toEqual(['total']);
      await held.run({ by: float32([2], [1, 1]) });
      expect(await held.read()).toEqual({ state: float32([2], [6, 7]), total: float32([1], [2]) });
      await expect(held.write({ state: float32([1], [1]) })).rejects.toThrow('state must be float32[2]');
      await expect(held.write({ by: float32([2], [1, 1]) })).rejects.toThrow('by must be an input');
    });

    test('is refused if it does not fit', async () => {
      await using runtime = await XlaRuntime.open(options);
      const executable = await runtime.compile(counter);
      await expect(executable.holdState({ by: float32([2], [1, 2]) })).rejects.toThrow(
        'donate: by must have an output',
      );
      await expect(executable.holdState({ state: float32([3], [1, 2, 3]) })).rejects.toThrow('must be float32[2]');
      await expect(executable.holdState({ z: float32([], [1]) })).rejects.toThrow('z must be an input');
      const held = await executable.holdState({ state: float32([2], [1, 2]) });
      await expect(held.run({ by: int32([2], [1, 2]) })).rejects.toThrow('input by must be float32[2]');
      // A refused run takes nothing.
      expect([...(await held.read()).state!.data]).toEqual([1, 2]);
    });
  });

  describe('disposing', () => {
    test('of a busy runtime waits for the run, and rejects those that wait', async () => {
      const runtime = await XlaRuntime.open(options);
      const executable = await runtime.compile(heavy);
      const runs = [executable.run({ matrix }), executable.run({ matrix })];
      const settled = Promise.allSettled(runs);
      await runtime.dispose();
      const [, second] = await settled;
      expect(second).toMatchObject({ status: 'rejected', reason: expect.any(DisposedError) });
      await expect(runtime.compile(graph)).rejects.toThrow(DisposedError);
      await runtime.dispose();
    });

    test('of a runtime while it compiles rejects the compilation', async () => {
      const runtime = await XlaRuntime.open(options);
      const compiling = expect(runtime.compile(heavy)).rejects.toThrow(DisposedError);
      await runtime.dispose();
      await compiling;
    });
  });

  describe('the cache', () => {
    test('keeps compiled graphs, and compiles damaged ones again', async () => {
      const cache = { folder: await temporaryFolder(), maxBytes: 1e8 };
      const compute = async () => {
        await using runtime = await XlaRuntime.open({ ...options, cache });
        const executable = await runtime.compile(graph);
        expect([...(await executable.run(feeds())).y!.data]).toEqual([-1, -2, -3]);
      };
      await compute();
      const [name] = await readdir(cache.folder);
      const path = join(cache.folder, name!);
      const bytes = await readFile(path);
      await compute();
      expect(await readFile(path)).toEqual(bytes);
      for (const damaged of [bytes.subarray(0, 100), Buffer.from(bytes).fill(7, 50, 80), Buffer.alloc(0)]) {
        await writeFile(path, damaged);
        await compute();
        expect(await readdir(cache.folder)).toEqual([name]);
        expect((await readFile(path)).length).toBe(bytes.length);
      }
    });

    test('deletes the least recently used graphs', async () => {
      const cache = { folder: await temporaryFolder(), maxBytes: 12_000 };
      await using runtime = await XlaRuntime.open({ ...options, cache });
      for (let i = 0; i < 6; i++) await runtime.compile({ inputs: { x }, outputs: { y: g.mul(x, i) } });
      const kept = (await readdir(cache.folder)).length;
      expect(kept).toBeGreaterThan(0);
      expect(kept).toBeLessThan(6);
    });
  });

  describe('a plugin', () => {
    test('that is missing, a folder or no library is refused by its path', async () => {
      const folder = await temporaryFolder();
      const text = join(folder, 'plugin.so');
      await writeFile(text, 'not a library');
      await expect(XlaRuntime.open({ plugin: join(folder, 'absent.so') })).rejects.toThrow(FileError);
      await expect(XlaRuntime.open({ plugin: folder })).rejects.toThrow('it is a folder');
      await expect(XlaRuntime.open({ plugin: text })).rejects.toThrow(`${text} is not a plugin of XLA that works here`);
      const other = process.report.getReport() as { sharedObjects: string[] };
      const libc = other.sharedObjects.find((path) => /\/libc\.so/.test(path))!;
      await expect(XlaRuntime.open({ plugin: libc })).rejects.toThrow(
        /is not a plugin of XLA that works here: .*GetPjrtApi/,
      );
    });

    test('for another device is refused', async () => {
      await expect(XlaRuntime.open({ ...options, device: 'tpu' })).rejects.toThrow(
        'The plugin for tpu must compute on tpu, but',
      );
      await expect(XlaRuntime.open({ device: 'gpu' as never })).rejects.toThrow(OptionError);
    });

    test('that is not installed is named with what installs it', async () => {
      vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', '');
      vi.stubEnv('XDG_CACHE_HOME', await temporaryFolder());
      await expect(XlaRuntime.open({ device: 'tpu' })).rejects.toThrow(
        'There is no plugin of XLA for tpu on this computer. Run "dalle-mini accelerator install tpu"',
      );
      vi.unstubAllEnvs();
    });

    test('lets the process end after it was only opened', async () => {
      for (const end of ['', 'await runtime.dispose();']) {
        const program = `
          import { XlaRuntime } from '@dalle-mini/xla';
          const runtime = await XlaRuntime.open({ plugin: ${JSON.stringify(cpuPlugin)}, cache: { maxBytes: 0 } });
          ${end}
        `;
        const { code, stderr } = await runModule(program, import.meta.dirname);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      }
    });

    test('lets the process end, also in the middle of a run', async () => {
      const program = (end: string) => `
        import { input, matmul, loop } from '@dalle-mini/graph';
        import { XlaRuntime } from '@dalle-mini/xla';
        const m = input('m', [512, 512]);
        const { carried } = loop(50, [m], (_, [s]) => ({ carried: [matmul(s, m)] }));
        const runtime = await XlaRuntime.open({ plugin: ${JSON.stringify(cpuPlugin)}, cache: { maxBytes: 0 } });
        const executable = await runtime.compile({ inputs: { m }, outputs: { y: carried[0] } });
        const run = executable.run({ m: { dtype: 'float32', shape: [512, 512], data: new Float32Array(512 * 512) } });
        ${end}
      `;
      for (const [end, code] of [
        ['await run;', 0],
        ['setTimeout(() => process.exit(3), 20);', 3],
        ['process.exit(4);', 4],
      ] as const) {
        const { stderr, ...ended } = await runModule(program(end), import.meta.dirname);
        expect({ code: ended.code, stderr }).toEqual({ code, stderr: '' });
      }
    });
  });
});
