/**
 * Measures the peak memory of training decoders with and without rematerialization, each in a process of its own:
 * `node rematerialization.js`. Prints a line for each, with the largest difference between their losses.
 */
import { execFileSync } from 'node:child_process';
import { createRandom } from '@dalle-mini/core';
import { type DecoderConfig, teacherForced } from '@dalle-mini/decoder';
import {
  crossEntropy,
  type Graph,
  mean,
  type Operation,
  sizeOf,
  type TensorData,
  topologicalOrder,
} from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { adamW, initialState, trainingGraph } from '@dalle-mini/graph/training';

interface Model {
  readonly batch: number;
  readonly config: DecoderConfig;
}

const bundled = {
  vocabularySize: 2048,
  gridSize: 8,
  width: 256,
  layers: 6,
  heads: 4,
  feedForwardWidth: 680,
  textWidth: 384,
};
const models: Readonly<Record<string, Model>> = {
  'the bundled decoder, batch 32': { batch: 32, config: bundled },
  'its layers for 16 × 16 tokens, batch 16': { batch: 16, config: { ...bundled, gridSize: 16 } },
};
const textLength = 24;
const steps = 3;

const [name, rematerialize] = process.argv.slice(2);
if (name === undefined) {
  for (const model of Object.keys(models)) {
    const runs = ['no', 'yes'].map((choice) =>
      JSON.parse(execFileSync(process.execPath, [process.argv[1]!, model, choice], { encoding: 'utf8' })),
    );
    const [plain, again] = runs;
    const difference = Math.max(...plain.losses.map((loss: number, i: number) => Math.abs(loss - again.losses[i]!)));
    const share = (a: number, b: number) => `${Math.round(100 * (b / a - 1))} %`;
    console.log(
      `${model}: ${plain.peakMb} MB without, ${again.peakMb} MB with (${share(plain.peakMb, again.peakMb)}); ` +
        `operations ${share(plain.operations, again.operations)}, products ${share(plain.products, again.products)}; ` +
        `difference of the losses ${difference}`,
    );
  }
} else {
  console.log(JSON.stringify(await measure(models[name]!, rematerialize === 'yes')));
}

async function measure({ batch, config }: Model, isRematerialized: boolean) {
  const grid = config.gridSize ** 2;
  const training = trainingGraph({
    batch: {
      tokens: { shape: [batch, grid], dtype: 'int32' },
      hiddenStates: { shape: [batch, textLength, config.textWidth], dtype: 'float32' },
      attentionMask: { shape: [batch, textLength], dtype: 'int32' },
    },
    loss: (scope, { tokens, hiddenStates, attentionMask }) => ({
      loss: mean(
        crossEntropy(
          teacherForced(scope, config, tokens!, { hiddenStates: hiddenStates!, attentionMask: attentionMask! }),
          tokens!,
        ),
      ),
    }),
    optimizer: adamW(),
    stepsPerRun: 1,
    rematerialize: isRematerialized ? (layer) => /^layers\.\d+/.exec(layer)?.[0] : undefined,
  });
  const runtime = new OnnxRuntime({ threads: 1 });
  const executable = await runtime.compile(training.graph);
  const initial = initializeParameters(training.parameters, 0) as ReadonlyMap<string, { data: Float32Array }>;
  let state = Object.fromEntries(
    [...initialState(training, initial)].map(([parameter, data]): [string, TensorData] => [
      parameter,
      { dtype: 'float32', shape: training.state.get(parameter)!, data },
    ]),
  );
  const random = createRandom(1);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const outputs = await executable.run({
      ...state,
      tokens: {
        dtype: 'int32',
        shape: [1, 1, batch, grid],
        data: Int32Array.from({ length: batch * grid }, () => random.integer(config.vocabularySize)),
      },
      hiddenStates: {
        dtype: 'float32',
        shape: [1, 1, batch, textLength, config.textWidth],
        data: Float32Array.from({ length: batch * textLength * config.textWidth }, () => random.normal()),
      },
      attentionMask: {
        dtype: 'int32',
        shape: [1, 1, batch, textLength],
        data: new Int32Array(batch * textLength).fill(1),
      },
      learningRate: { dtype: 'float32', shape: [1], data: Float32Array.of(1e-3) },
      step: { dtype: 'int32', shape: [], data: Int32Array.of(step) },
    });
    losses.push(outputs.loss!.data[0]!);
    state = Object.fromEntries(Object.keys(state).map((parameter) => [parameter, outputs[parameter]!]));
  }
  await runtime.dispose();
  const all = operationsOf(training.graph);
  return {
    peakMb: Math.round(process.resourceUsage().maxRSS / 1024),
    losses,
    operations: all.length,
    products: all.reduce((sum, node) => sum + productsOf(node), 0),
  };
}

/** Lists the operations of a graph and of the bodies of its loops. */
function operationsOf({ outputs }: Pick<Graph, 'outputs'>): Operation[] {
  const seen = new Set<Operation>();
  const visit = (tensors: Graph['outputs'][string][]) => {
    for (const node of topologicalOrder(tensors)) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (node.name === 'loop') {
        const { next, stacked } = (node as Operation<'loop'>).attributes;
        visit([...next, ...stacked]);
      }
    }
  };
  visit(Object.values(outputs));
  return [...seen];
}

/** Number of multiplications of a matrix product. */
function productsOf(node: Operation): number {
  if (node.name !== 'matmul') return 0;
  const { transposeA } = (node as Operation<'matmul'>).attributes;
  const [a] = node.inputs;
  return sizeOf(node.outputs[0]!.shape) * a!.shape.at(transposeA ? -2 : -1)!;
}
