/** The program of browser.test.ts, which runs in a browser. */
import * as g from '@dalle-mini/graph';
import { OnnxRuntimeWeb, type OnnxRuntimeWebOptions } from '@dalle-mini/graph/onnxruntime-web';
import { everyGraph } from './graphs-of-cases.js';

/** Which graphs are computed. */
export interface Selection {
  readonly from: number;
  readonly to: number;
  /** Of each nine graphs, this many. */
  readonly ofNine: number;
}

export const isSelected = ({ from, to, ofNine }: Selection, i: number) => i >= from && i < to && i % 9 < ofNine;

/** Computes graphs of the cases. Returns the elements of the outputs by the names of case and output, or the error of a case. */
export async function computeGraphs({
  from,
  to,
  ofNine,
  ...options
}: OnnxRuntimeWebOptions & Selection): Promise<Record<string, number[] | string>> {
  await using runtime = new OnnxRuntimeWeb(options);
  const results: Record<string, number[] | string> = {};
  for (const [i, { name, graph, feeds }] of everyGraph().entries()) {
    if (!isSelected({ from, to, ofNine }, i)) continue;
    try {
      const executable = await runtime.compile(graph);
      for (const [output, { shape, data }] of Object.entries(await executable.run(feeds)))
        results[`${name}: ${output} [${shape}]`] = [...data];
      await executable.dispose();
    } catch (error) {
      results[name] = (error as Error).message;
    }
  }
  return results;
}

/** Describes the GPU that WebGPU has, if there is one. */
export async function describeGpu(): Promise<string | null> {
  const { navigator } = globalThis as unknown as {
    navigator: { gpu?: { requestAdapter(): Promise<{ info: { vendor: string; architecture: string } } | null> } };
  };
  const adapter = await navigator.gpu?.requestAdapter();
  return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}` : null;
}

/** Whether threads may share memory. */
export const isIsolated = () => (globalThis as { readonly crossOriginIsolated?: boolean }).crossOriginIsolated;

/** Computes −x of [1, 2]. Returns the message of the error if it cannot. */
export async function negate(options: OnnxRuntimeWebOptions): Promise<string> {
  await using runtime = new OnnxRuntimeWeb(options);
  const x = g.input('x', [2]);
  try {
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: g.neg(x) } });
    const { y } = await executable.run({ x: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } });
    return y!.data.join();
  } catch (error) {
    return `${(error as g.RuntimeUnavailableError).code} ${(error as Error).message}`;
  }
}

/** Computes until a message arrives that was sent before. Returns whether it arrived within 1000 runs. */
export async function computeUntilMessage(options: OnnxRuntimeWebOptions): Promise<boolean> {
  await using runtime = new OnnxRuntimeWeb(options);
  const x = g.input('x', []);
  const executable = await runtime.compile({ inputs: { x }, outputs: { y: g.neg(x) } });
  const { port1, port2 } = new MessageChannel();
  let stopped = false;
  port1.addEventListener('message', () => {
    stopped = true;
  });
  port1.start();
  port2.postMessage('stop');
  for (let runs = 0; runs < 1000 && !stopped; runs++)
    await executable.run({ x: { dtype: 'float32', shape: [], data: Float32Array.of(runs) } });
  return stopped;
}

/** Computes with more memory than WebAssembly can have. Returns the code of the error, and whether the page computes on. */
export async function exhaustMemory(options: OnnxRuntimeWebOptions): Promise<string> {
  await using runtime = new OnnxRuntimeWeb(options);
  const x = g.input('x', []);
  const large = g.sum(g.exp(g.broadcastTo(x, [2 ** 30 - 2048])));
  const executable = await runtime.compile({ inputs: { x }, outputs: { y: large } });
  const feeds = { x: { dtype: 'float32', shape: [], data: Float32Array.of(1) } } as const;
  const code = await executable.run(feeds).then(
    () => 'none',
    (error: g.OutOfMemoryError) => error.code,
  );
  return `${code}, then ${await negate(options)}`;
}
