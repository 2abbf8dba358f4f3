/** Measures the highest speeds of this machine, to compare a program's figures with. Prints a JSON line. */
import { parseArgs } from 'node:util';
import { input, matmul, ParameterScope, type Runtime } from '@dalle-mini/graph';
import { initializeParameters, normal } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';

export interface Machine {
  /** Bytes per second of weights in a product with a vector: the bound for decoding a few images. */
  readonly bytesPerSecond: number;
  /** Floating-point operations per second in a product of large matrices. */
  readonly flopsPerSecond: number;
}

const { values: options } = parseArgs({ options: { threads: { type: 'string' } } });
const runtime = new OnnxRuntime({ threads: Number(options.threads) });
const machine: Machine = {
  // 512 MB: more than any cache holds.
  bytesPerSecond: (4 * 8192 * 16384) / (await secondsOf(runtime, 1, 8192, 16384)),
  flopsPerSecond: (2 * 1024 ** 3) / (await secondsOf(runtime, 1024, 1024, 1024)),
};
console.log(JSON.stringify(machine));
await runtime.dispose();

/** Returns the shortest time of ten products `[rows, inner] × [inner, columns]`, without the cost of a call. */
async function secondsOf(runtime: Runtime, rows: number, inner: number, columns: number): Promise<number> {
  const scope = new ParameterScope();
  const x = input('x', [rows, inner]);
  const graph = { inputs: { x }, outputs: { y: matmul(x, scope.parameter('w', [inner, columns], normal(1))) } };
  const executable = await runtime.compile(graph, {
    parameters: initializeParameters(scope.parameters, 0),
  });
  let shortest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const start = performance.now();
    await executable.run({ x: { dtype: 'float32', shape: x.shape, data: new Float32Array(rows * inner).fill(1) } });
    shortest = Math.min(shortest, performance.now() - start);
  }
  await executable.dispose();
  return shortest / 1000;
}
