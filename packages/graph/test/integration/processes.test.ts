import { runModule } from '@dalle-mini/testing/processes';
import { describe, expect, test } from 'vitest';

/** Runs a program in a child process, and fails if the process does not end in time. */
function program(source: string) {
  const imports = `
    import * as g from '@dalle-mini/graph';
    import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
    const x = g.input('x', [3]);
    const feeds = { x: { dtype: 'float32', shape: [3], data: Float32Array.of(1, 2, 3) } };
  `;
  return runModule(imports + source, import.meta.dirname, [], {
    timeout: 20_000,
  });
}

describe('a process', () => {
  test('ends while a runtime is idle', async () => {
    const source = `
      const executable = await new OnnxRuntime().compile({ inputs: { x }, outputs: { y: g.neg(x) } });
      console.log((await executable.run(feeds)).y.data.join());
    `;
    expect(await program(source)).toEqual({ code: 0, stdout: '-1,-2,-3\n', stderr: '' });
  });

  test('ends after a failure', async () => {
    const source = `
      const runtime = new OnnxRuntime();
      await runtime.open(Uint8Array.of(1), { inputs: { x }, outputs: {} }).catch(() => console.log('refused'));
      const executable = await runtime.compile({ inputs: { x }, outputs: { y: g.neg(x) } });
      const shared = { ...feeds.x, data: new Float32Array(new SharedArrayBuffer(12)) };
      await executable.run({ x: shared }, { transfer: true }).catch(() => console.log('not transferable'));
    `;
    expect(await program(source)).toEqual({ code: 0, stdout: 'refused\nnot transferable\n', stderr: '' });
  });

  test('that calls process.exit during a run exits with its code', async () => {
    const source = `
      const matrix = g.input('matrix', [512, 512]);
      const { carried } = g.loop(40, [matrix], (_, [state]) => ({ carried: [g.matmul(state, matrix)] }));
      const executable = await new OnnxRuntime().compile({ inputs: { matrix }, outputs: { y: g.sum(carried[0]) } });
      const data = new Float32Array(512 * 512);
      executable.run({ matrix: { dtype: 'float32', shape: [512, 512], data } });
      setTimeout(() => process.exit(3), 20);
    `;
    expect(await program(source)).toEqual({ code: 3, stdout: '', stderr: '' });
  });

  test('does not end during a run', async () => {
    const source = `
      const matrix = g.input('matrix', [512, 512]);
      const { carried } = g.loop(20, [matrix], (_, [state]) => ({ carried: [g.matmul(state, matrix)] }));
      const executable = await new OnnxRuntime().compile({ inputs: { matrix }, outputs: { y: g.sum(carried[0]) } });
      const data = new Float32Array(512 * 512);
      executable.run({ matrix: { dtype: 'float32', shape: [512, 512], data } }).then(({ y }) => console.log(y.data[0]));
    `;
    expect(await program(source)).toEqual({ code: 0, stdout: '0\n', stderr: '' });
  });
});
