import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as g from '@dalle-mini/graph';
import { emitOnnx } from '@dalle-mini/graph/onnx';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { float32, int32 } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';

const x = g.input('x', [3]);
const graph: g.Graph = { inputs: { x }, outputs: { y: g.neg(x) } };
const feeds = () => ({ x: float32([3], [1, 2, 3]) });

/** About 40 GFLOP, which take at least a third of a second. */
const heavy: g.Graph = (() => {
  const matrix = g.input('matrix', [1024, 1024]);
  const { carried } = g.loop(20, [matrix], (_, [state]) => ({ carried: [g.mul(g.matmul(state!, matrix), 1e-3)] }));
  return { inputs: { matrix }, outputs: { y: g.sum(carried[0]!) } };
})();
const matrix = float32(
  [1024, 1024],
  Array.from({ length: 1024 * 1024 }, (_, i) => (i % 7) / 7),
);

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

describe('a run on ONNX Runtime', () => {
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

  test('finishes after earlier runs', async () => {
    const slow = await runtime.compile(heavy);
    const fast = await runtime.compile(graph);
    const order: string[] = [];
    await Promise.all([
      slow.run({ matrix }).then(() => order.push('slow')),
      fast.run(feeds()).then(() => order.push('fast')),
    ]);
    expect(order).toEqual(['slow', 'fast']);
  });

  test('that fails gives the reason, and the next run works', async () => {
    const table = g.input('table', [4, 2]);
    const index = g.input('index', [1], 'int32');
    const executable = await runtime.compile({ inputs: { table, index }, outputs: { y: g.gather(table, index) } });
    const rows = float32([4, 2], [0, 1, 2, 3, 4, 5, 6, 7]);
    await expect(executable.run({ table: rows, index: int32([1], [4]) })).rejects.toThrow(
      /^ONNX Runtime: .*out of data bounds/,
    );
    expect([...(await executable.run({ table: rows, index: int32([1], [3]) })).y!.data]).toEqual([6, 7]);
  });
});

describe('models that are opened at the same time', () => {
  const many = () => Array.from({ length: 5 }, (_, i) => ({ inputs: { x }, outputs: { y: g.mul(x, i) } }));

  test('all work, and their runs do not interfere', async () => {
    const own = new OnnxRuntime({ threads: 1 });
    own.start();
    const executables = await Promise.all(many().map((each) => own.compile(each)));
    const results = await Promise.all(executables.map((executable) => executable.run(feeds())));
    expect(results.map(({ y }) => [...y!.data])).toEqual([0, 1, 2, 3, 4].map((i) => [i, 2 * i, 3 * i]));
    await own.dispose();
  });

  test('are rejected when the runtime is disposed of, even if they wait for a thread', async () => {
    const own = new OnnxRuntime({ threads: 1 });
    const rejections = many().map((each) =>
      expect(own.compile(each)).rejects.toThrow('was disposed of while it worked'),
    );
    await own.dispose();
    await Promise.all(rejections);
  });

  test('do not fail because another one fails', async () => {
    const own = new OnnxRuntime({ threads: 1 });
    const results = await Promise.allSettled([
      own.open(Uint8Array.of(1, 2, 3), graph),
      own.open(Uint8Array.of(1, 2, 3), graph),
      ...many().map((each) => own.compile(each)),
    ]);
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual([false, false, true, true, true, true, true]);
    await own.dispose();
  });
});

describe('disposing', () => {
  test('of a busy runtime rejects its runs', async () => {
    const busy = new OnnxRuntime({ threads: 1 });
    const executable = await busy.compile(heavy);
    const runs = [executable.run({ matrix }), executable.run({ matrix })];
    const rejections = Promise.all(
      runs.map((run) => expect(run).rejects.toThrow('the ONNX runtime was disposed of while it worked')),
    );
    await busy.dispose();
    await rejections;
  });

  test('of a runtime ends its executables, but not those compiled later', async () => {
    const reused = new OnnxRuntime({ threads: 1 });
    const before = await reused.compile(graph);
    await reused.dispose();
    const after = await reused.compile({ inputs: { x }, outputs: { y: g.exp(x) } });
    await expect(before.run(feeds())).rejects.toThrow('this executable was disposed of');
    await before.dispose();
    expect([...(await after.run({ x: float32([3], [0, 0, 0]) })).y!.data]).toEqual([1, 1, 1]);
    await reused.dispose();
  });

  test('of an idle or unused runtime succeeds', async () => {
    const idle = new OnnxRuntime();
    await idle.dispose();
    await idle.dispose();
  });
});

describe('a model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graph-runtime-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'model.onnx');
  writeFileSync(path, emitOnnx(graph));

  test('opens from its path', async () => {
    const executable = await runtime.open(path, graph);
    expect([...(await executable.run(feeds())).y!.data]).toEqual([-1, -2, -3]);
  });

  test('opens from its bytes, which the caller can still use', async () => {
    // Node.js reads small files into a shared buffer.
    const bytes = readFileSync(path);
    const executable = await runtime.open(bytes, graph);
    expect([...(await executable.run(feeds())).y!.data]).toEqual([-1, -2, -3]);
    expect(bytes).toEqual(readFileSync(path));
  });

  test('that is not valid ONNX is refused', async () => {
    await expect(runtime.open(Uint8Array.of(1, 2, 3), graph)).rejects.toThrow(/^ONNX Runtime: /);
    await expect(runtime.open(join(folder, 'absent.onnx'), graph)).rejects.toThrow(/^ONNX Runtime: .*absent/);
  });
});
