import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { pictures, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainVqgan } from '@dalle-mini/train';
import { afterAll, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

test('the event loop is free while a step is computed', async () => {
  // Most of the time is spent in the graph. On this thread, a run would block the event loop for its whole duration.
  const spans: { seconds: number; ticks: number }[] = [];
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const measured: Runtime = {
    name: runtime.name,
    compile: async (graph, options) => {
      const executable = await runtime.compile(graph, options);
      if (!('learningRate' in graph.inputs)) return executable;
      return {
        ...executable,
        run: async (...args) => {
          const [started, before] = [performance.now(), ticks];
          const outputs = await executable.run(...args);
          spans.push({ seconds: (performance.now() - started) / 1000, ticks: ticks - before });
          return outputs;
        },
      };
    },
    dispose: async () => undefined,
  };
  const config = { ...vqganRun.config, batchSize: 16, stepsPerRun: 30, warmUpSteps: 5, restartEvery: 30 };
  const run = { ...vqganRun, config, steps: 60, checkpointEvery: 60, evaluateEvery: 60, evaluation: pictures(8, 96) };
  await trainVqgan({ ...run, runtime: measured, folder: await temporaryFolder() });
  clearInterval(timer);
  expect(spans).toHaveLength(2);
  for (const { seconds, ticks: seen } of spans) {
    // An undisturbed timer has 200 ticks a second. A tenth is enough, because the machine may be busy.
    expect(seconds).toBeGreaterThan(0.05);
    expect(seen).toBeGreaterThan(20 * seconds);
  }
});
