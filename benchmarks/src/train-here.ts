/** Runs one training with this project in a separate process. Prints a JSON line, as the programs in `peers/` do. */

import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom } from '@dalle-mini/core';
import type { Runtime, TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type Tfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import { holdState, initialState, trainingGraph } from '@dalle-mini/graph/training';
import { XlaRuntime } from '@dalle-mini/xla';
import type { Measurement } from './measurement.js';
import { benchmarks, type ModelName } from './models.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    runtime: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    compute: { type: 'string', default: 'float32' },
    'tfjs-node': { type: 'string' },
    threads: { type: 'string' },
    warmup: { type: 'string' },
    steps: { type: 'string' },
    'steps-per-run': { type: 'string' },
  },
});
const [threads, warmup, steps, stepsPerRun] = (['threads', 'warmup', 'steps', 'steps-per-run'] as const).map((name) =>
  Number(options[name]),
) as [number, number, number, number];

const { unit, items, learningRate, training: model, batch } = benchmarks[options.model as ModelName];
const training = trainingGraph({ ...model, stepsPerRun });
const parameters = initializeParameters(training.parameters, 0);
const initial = Object.fromEntries(
  [...initialState(training, parameters as ReadonlyMap<string, { data: Float32Array }>)].map(([name, data]) => {
    return [name, { dtype: 'float32', shape: training.state.get(name)!, data } as TensorData];
  }),
);
const batches = Object.fromEntries(
  Object.entries(batch(createRandom(0, 1))).map(([name, value]) => [name, repeat(value, stepsPerRun)]),
);
const learningRates = new Float32Array(stepsPerRun).fill(learningRate);

const { engine, runtime } = await openRuntime();
/** What is not trained. */
const frozen = new Map([...parameters].filter(([name]) => !training.state.has(name)) as [string, TensorData][]);
const state = await holdState(await runtime.compile(training.graph, { parameters: frozen }), initial);
const losses: number[] = [];
const milliseconds: number[] = [];
for (let step = 0; step < warmup + steps; step += stepsPerRun) {
  const start = performance.now();
  // The state stays with the runtime; all other inputs are copied, as in a trainer.
  const { loss } = await state.run({
    ...Object.fromEntries(Object.entries(batches).map(([name, value]) => [name, copy(value)])),
    learningRate: { dtype: 'float32', shape: [stepsPerRun], data: learningRates.slice() },
    step: { dtype: 'int32', shape: [], data: Int32Array.of(step) },
  });
  losses.push(...loss!.data);
  if (step >= warmup) milliseconds.push((performance.now() - start) / stepsPerRun);
}
await runtime.dispose();

milliseconds.sort((a, b) => a - b);
const middle = (milliseconds.length - 1) / 2;
const median = (milliseconds[Math.floor(middle)]! + milliseconds[Math.ceil(middle)]!) / 2;
const measurement: Measurement = {
  engine,
  unit,
  per_second: (1000 * items) / median,
  step_ms: median,
  step_ms_min: milliseconds[0]!,
  peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  losses,
};
console.log(JSON.stringify(measurement));

async function openRuntime(): Promise<{ engine: string; runtime: Runtime }> {
  if (options.runtime === 'onnxruntime') return { engine: 'ONNX Runtime', runtime: new OnnxRuntime({ threads }) };
  if (options.runtime === 'xla') {
    // The number of threads of XLA on processors.
    process.env.NPROC = String(threads);
    const { device, compute } = options as { device: 'cpu' | 'cuda' | 'tpu'; compute: 'float32' | 'bfloat16' };
    const runtime = await XlaRuntime.open({ device, compute, cache: { maxBytes: 0 } });
    return { engine: `XLA, ${runtime.devices[0]}${compute === 'bfloat16' ? ', bfloat16' : ''}`, runtime };
  }
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  const load = createRequire(join(resolve(options['tfjs-node']!), 'package.json'));
  const tf = load('@tensorflow/tfjs-node') as Tfjs;
  if (tf.getBackend() !== 'tensorflow') throw new Error(`TensorFlow.js has backend ${tf.getBackend()}, not tensorflow`);
  return { engine: `TensorFlow.js ${tf.version_core}`, runtime: new TfjsRuntime(tf) };
}

/** The same batch for every step of a run: `[stepsPerRun, 1, …]`. */
function repeat({ dtype, shape, data }: TensorData, count: number): TensorData {
  const repeated = dtype === 'int32' ? new Int32Array(count * data.length) : new Float32Array(count * data.length);
  for (let i = 0; i < count; i++) repeated.set(data, i * data.length);
  return { dtype, shape: [count, 1, ...shape], data: repeated } as TensorData;
}

function copy(value: TensorData): TensorData {
  return { ...value, data: value.data.slice() } as TensorData;
}
