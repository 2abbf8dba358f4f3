import { readFileSync } from 'node:fs';
import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import * as layers from '@dalle-mini/graph/layers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { loadTfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import {
  adamW,
  initialState,
  type SplitUpdate,
  sgd,
  splitTrainingGraph,
  type TrainingGraph,
  type TrainingOptions,
  trainingGraph,
} from '@dalle-mini/graph/training';
import { float32, int32, relativeError } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';

interface Data {
  shape: number[];
  data: number[];
}

/** Computed by scripts/reference/optimizers.py with PyTorch, in float64. */
const reference: {
  parameters: Record<string, Data>;
  x: Data;
  labels: Data;
  learningRates: number[];
  losses: number[];
  gradientNorms: number[];
  trained: Record<string, Data>;
} = JSON.parse(readFileSync(new URL('./fixtures/optimizers.json', import.meta.url), 'utf8')).training;

const steps = reference.losses.length;
const onnx = new OnnxRuntime({ threads: 1 });
afterAll(() => onnx.dispose());

/** The model of the reference: a perceptron for classification. */
const loss: TrainingOptions['loss'] = (scope, { x, labels }) => {
  const logits = layers.linear(scope.in('fc2'), g.gelu(layers.linear(scope.in('fc1'), x!, 8)), 3);
  const right = g.cast(g.equal(g.argmax(logits), labels!), 'float32');
  return { loss: g.mean(g.crossEntropy(logits, labels!)), metrics: { accuracy: g.mean(right) } };
};

const options: TrainingOptions = {
  batch: { x: { shape: [5, 4], dtype: 'float32' }, labels: { shape: [5], dtype: 'int32' } },
  loss,
  optimizer: adamW({ weightDecay: 0.05 }),
  stepsPerRun: steps,
  accumulation: 2,
  clipNorm: 1,
};

const parameters = new Map(
  Object.entries(reference.parameters).map(([name, { shape, data }]) => [name, float32(shape, data)]),
);

/**
 * Trains on the reference's batches, in runs of `stepsPerRun` steps.
 *
 * @param frozen Frozen parameters to compile the graph with. By default they are inputs of each run.
 */
async function train(
  training: TrainingGraph,
  stepsPerRun: number,
  runtime: g.Runtime = onnx,
  frozen?: ReadonlyMap<string, g.TensorData>,
) {
  const executable = await runtime.compile(training.graph, { parameters: frozen });
  const values = initialState(training, parameters as Map<string, g.TensorData & { data: Float32Array }>);
  const fixed = frozen ? [] : [...training.parameters.keys()].filter((name) => !training.state.has(name));
  const reports: Record<string, number[]> = {};
  for (let step = 0; step < steps; step += stepsPerRun) {
    const part = <T>({ data }: { data: T[] }) =>
      data.slice((data.length / steps) * step, (data.length / steps) * (step + stepsPerRun));
    const feeds: Record<string, g.TensorData> = {
      step: int32([], [step]),
      learningRate: float32([stepsPerRun], reference.learningRates.slice(step, step + stepsPerRun)),
    };
    for (const [name, tensor] of Object.entries(training.graph.inputs)) {
      if (name === 'x') feeds.x = float32(tensor.shape, part(reference.x));
      if (name === 'labels') feeds.labels = int32(tensor.shape, part(reference.labels));
    }
    for (const [name, shape] of training.state) feeds[name] = float32(shape, values.get(name)!);
    for (const name of fixed) feeds[name] = parameters.get(name)!;
    const results = await executable.run(feeds);
    for (const [name, { data }] of Object.entries(results)) {
      if (training.state.has(name)) values.set(name, data as Float32Array);
      else reports[name] = [...(reports[name] ?? []), ...data];
    }
  }
  await executable.dispose();
  return { values, reports };
}

/** Trains as `train` does, with a graph for the gradients and one for the update. */
async function trainInHalves(options: TrainingOptions) {
  const { updates, ...training } = splitTrainingGraph(options);
  const [{ gradients, update, statistics }] = updates as [SplitUpdate];
  expect(statistics).toEqual([]);
  const backward = await onnx.compile(gradients.graph);
  const optimizer = await onnx.compile(update.graph);
  const start = initialState(training, parameters as Map<string, { data: Float32Array }>);
  let state = Object.fromEntries([...training.state].map(([name, shape]) => [name, float32(shape, start.get(name)!)]));
  const reports: Record<string, number[]> = {};
  for (let step = 0; step < steps; step++) {
    const part = <T>({ data }: { data: T[] }) =>
      data.slice((data.length / steps) * step, (data.length / steps) * (step + 1));
    const { gradients: vector, ...reported } = await backward.run({
      ...Object.fromEntries([...training.parameters.keys()].map((name) => [name, state[name]!])),
      x: float32([2, 5, 4], part(reference.x)),
      labels: int32([2, 5], part(reference.labels)),
    });
    const rate = float32([], [reference.learningRates[step]!]);
    const { gradientNorm, ...next } = await optimizer.run({
      ...state,
      gradients: vector!,
      learningRate: rate,
      step: int32([], [step]),
    });
    for (const [name, { data }] of Object.entries({ ...reported, gradientNorm: gradientNorm! }))
      reports[name] = [...(reports[name] ?? []), ...data];
    state = next as typeof state;
  }
  await backward.dispose();
  await optimizer.dispose();
  return { values: new Map(Object.entries(state).map(([name, { data }]) => [name, data])), reports };
}

// Six steps in float32 compared with float64: a single step of AdamW has an error of up to 6e-6 of its length (see
// optimizers.test.ts), and gradients near zero, which Adam divides by their own size, increase it.
const tolerance = 2e-5;

describe('a training graph', () => {
  const whole = trainingGraph(options);

  test('trains as PyTorch does: forward, backward, accumulation, clipping and AdamW', async () => {
    const { values, reports } = await train(whole, steps);
    expect(relativeError(reports.loss!, reference.losses)).toBeLessThan(tolerance);
    expect(relativeError(reports.gradientNorm!, reference.gradientNorms)).toBeLessThan(tolerance);
    for (const [name, { data }] of Object.entries(reference.trained))
      expect(relativeError(values.get(name)!, data), name).toBeLessThan(tolerance);
  });

  test('trains the same if parameters are updated together or one by one', async () => {
    const { kind, ...oneByOne } = adamW({ weightDecay: 0.05 });
    expect(kind).toBeDefined();
    const together = await train(trainingGraph({ ...options, averageDecay: 0.9 }), steps);
    const apart = await train(trainingGraph({ ...options, averageDecay: 0.9, optimizer: oneByOne }), steps);
    expect([...together.values.keys()].sort()).toEqual([...apart.values.keys()].sort());
    // The norm of the gradients is summed in another order.
    for (const [name, values] of together.values)
      expect(relativeError(values, apart.values.get(name)!), name).toBeLessThan(1e-6);
  });

  test('trains the same on TensorFlow.js', async () => {
    const { values, reports } = await train(whole, steps, new TfjsRuntime(await loadTfjs()));
    expect(relativeError(reports.loss!, reference.losses)).toBeLessThan(tolerance);
    for (const [name, { data }] of Object.entries(reference.trained))
      expect(relativeError(values.get(name)!, data), name).toBeLessThan(tolerance);
  });

  test('continues from run to run as within a run', async () => {
    const once = await train(whole, steps);
    const thrice = await train(trainingGraph({ ...options, stepsPerRun: 2 }), 2);
    for (const [name, value] of once.values) {
      // ONNX Runtime computes both with the same kernels.
      expect(relativeError(thrice.values.get(name)!, value), name).toBeLessThan(1e-6);
    }
    expect(relativeError(thrice.reports.loss!, once.reports.loss!)).toBeLessThan(1e-6);
  });

  test('averages accumulated batches like one large batch', async () => {
    const joined = { x: { shape: [10, 4], dtype: 'float32' }, labels: { shape: [10], dtype: 'int32' } } as const;
    const accumulated = await train(whole, steps);
    const { values, reports } = await train(trainingGraph({ ...options, batch: joined, accumulation: 1 }), steps);
    for (const name of ['loss', 'accuracy', 'gradientNorm'])
      expect(relativeError(reports[name]!, accumulated.reports[name]!), name).toBeLessThan(tolerance);
    for (const name of parameters.keys())
      expect(relativeError(values.get(name)!, accumulated.values.get(name)!), name).toBeLessThan(tolerance);
  });

  test('takes the same steps in two halves, with the gradients between them', async () => {
    const training = { ...options, averageDecay: 0.9 };
    const { values, reports } = await train(trainingGraph(training), steps);
    const halves = await trainInHalves(training);
    expect(Object.keys(halves.reports).sort()).toEqual(Object.keys(reports).sort());
    for (const [name, expected] of Object.entries(reports))
      expect(relativeError(halves.reports[name]!, expected), name).toBeLessThan(1e-6);
    expect([...halves.values.keys()].sort()).toEqual([...values.keys()].sort());
    // ONNX Runtime computes both with the same kernels.
    for (const [name, expected] of values)
      expect(relativeError(halves.values.get(name)!, expected), name).toBeLessThan(1e-6);
  });

  describe('that is split for hosts', () => {
    const { accumulation, ...single } = options;
    const scale = (scope: g.ParameterScope) => scope.parameter('scale', [], initializers.zeros);

    test('computes statistics of its samples first, and takes those of the whole batch, with the gradient of its own', async () => {
      const squared: TrainingOptions['loss'] = (scope, { x }) => {
        const average = scope.in('inner').statistic('average', g.mul(g.mean(x!), scale(scope)), 'mean');
        return { loss: g.square(average) };
      };
      const { updates } = splitTrainingGraph({ ...single, loss: squared });
      const { statistics, gradients } = updates[0]!;
      expect(statistics[0]!.kinds).toEqual({ 'statistics/inner.average': 'mean' });
      const inputs = {
        scale: float32([], [3]),
        x: float32([1, 5, 4], Array(20).fill(2)),
      };
      const first = await onnx.compile(statistics[0]!.graph);
      expect(await first.run(inputs)).toEqual({ 'statistics/inner.average': float32([], [6]) });
      const second = await onnx.compile(gradients.graph);
      const whole = { 'statistics/inner.average': float32([], [10]) };
      // The derivative of the square of 10, times the mean of the own samples.
      expect(await second.run({ ...inputs, ...whole })).toEqual({
        loss: float32([], [100]),
        gradients: float32([1], [40]),
      });
      await first.dispose();
      await second.dispose();
    });

    test('gives buffers new values that come from statistics, and refuses others', () => {
      const assigning =
        (value: (scope: g.ParameterScope, mean: g.Tensor) => g.Tensor): TrainingOptions['loss'] =>
        (scope, { x }) => {
          scope.buffer('seen', [], initializers.zeros);
          scope.assign('seen', value(scope, g.stopGradient(g.mean(x!))));
          return { loss: g.mean(g.mul(x!, scale(scope))) };
        };
      const shared = assigning((scope, mean) => scope.statistic('mean', mean, 'mean'));
      expect(splitTrainingGraph({ ...single, loss: shared }).updates[0]!.assigned).toEqual(['seen']);
      expect(() => splitTrainingGraph({ ...single, loss: assigning((_, mean) => mean) })).toThrow(
        'what the loss assigns to seen must depend on the batch through statistics of its scope alone',
      );
      expect(() => splitTrainingGraph({ ...options, loss: shared })).toThrow('accumulation must be 1');
      const nested = assigning((scope, mean) =>
        scope.statistic('second', g.sub(mean, scope.statistic('first', mean, 'mean')), 'mean'),
      );
      const { updates } = splitTrainingGraph({ ...single, loss: nested });
      expect(updates[0]!.statistics.map(({ kinds }) => Object.keys(kinds))).toEqual([
        ['statistics/first'],
        ['statistics/second'],
      ]);
    });
  });

  test('reports metrics of every step', async () => {
    const { reports } = await train(whole, steps);
    expect(Object.keys(reports).sort()).toEqual(['accuracy', 'gradientNorm', 'loss']);
    expect(reports.accuracy).toHaveLength(steps);
    // The samples of both batches.
    for (const accuracy of reports.accuracy!) expect(accuracy * 10).toBeCloseTo(Math.round(accuracy * 10), 5);
  });

  test('freezes parameters with the rate factor 0', async () => {
    const training = trainingGraph({ ...options, rateFactor: (name) => (name.startsWith('fc2') ? 1 : 0) });
    expect([...training.parameters.keys()]).toEqual(['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']);
    expect([...training.state.keys()].filter((name) => name.includes('fc1'))).toEqual([]);
    const { values } = await train(training, steps);
    expect(relativeError(values.get('fc2.weight')!, parameters.get('fc2.weight')!.data)).toBeGreaterThan(0.01);
    // The same with the frozen values in the compiled graph, where they are its only parameters.
    const frozen = new Map([...parameters].filter(([name]) => name.startsWith('fc1')));
    expect((await train(training, steps, onnx, frozen)).values).toEqual(values);
  });

  test('multiplies the learning rate of each parameter by its factor', async () => {
    // Without momentum and clipping, the first step changes a parameter by its gradient times its rate.
    const plain: TrainingOptions = { ...options, optimizer: sgd(), clipNorm: undefined, stepsPerRun: 1 };
    const change = async (rateFactor?: (name: string) => number) => {
      const training = trainingGraph({ ...plain, rateFactor });
      const executable = await onnx.compile(training.graph);
      const state = [...initialState(training, parameters as never)].map(
        ([name, data]) => [name, float32(training.state.get(name)!, data)] as const,
      );
      const results = await executable.run({
        ...Object.fromEntries(state),
        step: int32([], [0]),
        learningRate: float32([1], [1]),
        x: float32([1, 2, 5, 4], reference.x.data.slice(0, 40)),
        labels: int32([1, 2, 5], reference.labels.data.slice(0, 10)),
      });
      return new Map(
        [...parameters].map(([name, { data }]) => [name, Array.from(data, (x, i) => results[name]!.data[i]! - x)]),
      );
    };
    const whole = await change();
    const scaled = await change((name) => (name.startsWith('fc1') ? 0.5 : 3));
    for (const [name, values] of whole) {
      const factor = name.startsWith('fc1') ? 0.5 : 3;
      // The subtraction of float32 values loses digits.
      for (const [i, value] of values.entries()) expect(scaled.get(name)![i], name).toBeCloseTo(factor * value, 5);
    }
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the rate factor %d by name', (factor) => {
    expect(() => trainingGraph({ ...options, rateFactor: (name) => (name === 'fc2.bias' ? factor : 1) })).toThrow(
      `rateFactor of fc2.bias must be a number of at least 0, not ${factor}.`,
    );
  });

  test('keeps a moving average of the parameters', async () => {
    const averageDecay = 0.3;
    const { values } = await train(trainingGraph({ ...options, averageDecay, stepsPerRun: 1 }), 1);
    // Computed again from the parameters after each number of steps.
    const average = new Map([...parameters].map(([name, { data }]) => [name, Array.from(data)]));
    const training = trainingGraph({ ...options, stepsPerRun: 1 });
    const executable = await onnx.compile(training.graph);
    let state: Record<string, g.TensorData> = Object.fromEntries(
      [...initialState(training, parameters as never)].map(([name, data]) => [
        name,
        float32(training.state.get(name)!, data),
      ]),
    );
    for (let step = 0; step < steps; step++) {
      const results = await executable.run({
        ...state,
        step: int32([], [step]),
        learningRate: float32([1], [reference.learningRates[step]!]),
        x: float32([1, 2, 5, 4], reference.x.data.slice(40 * step, 40 * (step + 1))),
        labels: int32([1, 2, 5], reference.labels.data.slice(10 * step, 10 * (step + 1))),
      });
      state = Object.fromEntries([...training.state.keys()].map((name) => [name, results[name]!]));
      const decay = Math.min(averageDecay, (2 + step) / (11 + step));
      for (const [name, values] of average)
        for (const [i, x] of state[name]!.data.entries()) values[i] = values[i]! * decay + x * (1 - decay);
    }
    for (const [name, expected] of average)
      expect(relativeError(values.get(`average/${name}`)!, expected), name).toBeLessThan(1e-6);
  });

  test('needs a parameter to train', () => {
    expect(() => trainingGraph({ ...options, rateFactor: () => 0 })).toThrow(
      'rateFactor must be above 0 for at least one parameter.',
    );
  });

  test('starts with averages equal to the parameters and slots of zeros', () => {
    const training = trainingGraph({ ...options, averageDecay: 0.9 });
    const state = initialState(training, parameters as never);
    expect(state.get('fc1.bias')).toEqual(parameters.get('fc1.bias')!.data);
    expect(state.get('average/fc1.bias')).toEqual(parameters.get('fc1.bias')!.data);
    // The initial state is a copy.
    expect(state.get('fc1.bias')).not.toBe(parameters.get('fc1.bias')!.data);
    expect(state.get('optimizer/mean/fc1.bias')).toEqual(new Float32Array(8));
  });

  test('computes operations that do not depend on the step before the loop', () => {
    const table = trainingGraph({
      ...options,
      accumulation: 1,
      rateFactor: (name) => (name.startsWith('fc2') ? 1 : 0),
      loss: (scope, batch) => {
        const frozen = g.exp(scope.in('fc1').parameter('weight', [8, 4], initializers.ones));
        const x = g.matmul(batch.x!, frozen, { transposeB: true });
        return { loss: g.mean(g.crossEntropy(layers.linear(scope.in('fc2'), x, 3), batch.labels!)) };
      },
    });
    // The topological order does not enter the loop over the steps.
    const exponentials = g.topologicalOrder(Object.values(table.graph.outputs)).filter(({ name }) => name === 'exp');
    expect(exponentials).toHaveLength(1);
  });

  test('averages and assigns buffers in the order of accumulated batches', async () => {
    const counting: TrainingOptions = {
      ...options,
      stepsPerRun: 2,
      loss: (scope, batch, step) => {
        // The mean of each batch, halved with each further one; and the number of steps so far.
        const total = scope.buffer('total', [], initializers.zeros);
        scope.assign('total', g.add(g.mul(total, 0.5), g.mean(batch.x!)));
        scope.assign('steps', g.add(scope.buffer('steps', [], initializers.zeros), g.cast(step, 'float32')));
        return loss(scope, batch, step);
      },
    };
    const training = trainingGraph(counting);
    expect([...training.state.keys()].filter((name) => /total|steps/.test(name)).sort()).toEqual(['steps', 'total']);
    const { values } = await train(training, 2);
    const { x } = reference;
    let expected = 0;
    for (let batch = 0; batch < 2 * steps; batch++) {
      const part = x.data.slice(20 * batch, 20 * (batch + 1));
      expected = expected / 2 + part.reduce((sum, value) => sum + value, 0) / 20;
    }
    expect(values.get('total')![0]).toBeCloseTo(expected, 5);
    // Two batches a step, of the steps 0 to 5.
    expect(values.get('steps')![0]).toBe(2 * (0 + 1 + 2 + 3 + 4 + 5));
  });

  test('differentiates the surrogate of a loss, and reports the loss', async () => {
    const scaled: TrainingOptions['loss'] = (...given) => {
      const { loss: value, metrics } = loss(...given);
      return { loss: g.mul(value, 10), surrogate: value, metrics };
    };
    const plain = await train(whole, steps);
    const replaced = await train(trainingGraph({ ...options, loss: scaled }), steps);
    expect(replaced.values).toEqual(plain.values);
    expect(
      relativeError(
        replaced.reports.loss!,
        plain.reports.loss!.map((x) => 10 * x),
      ),
    ).toBeLessThan(1e-6);
  });
});

describe('a training graph with an adversary', () => {
  /** A number a and an adversary b: a moves by −0.1 · ∂(a · b)/∂a, and then b by 0.1 · a. */
  const game: TrainingOptions = {
    batch: {},
    loss: (scope) => ({ loss: g.mul(number(scope, 'a'), number(scope, 'b')) }),
    adversary: {
      name: 'b',
      prefix: 'b',
      loss: (scope) => ({
        loss: g.neg(g.mul(number(scope, 'a'), number(scope, 'b'))),
        metrics: { seen: number(scope, 'a') },
      }),
      optimizer: sgd(),
    },
    optimizer: sgd(),
    stepsPerRun: 3,
  };
  const number = (scope: g.ParameterScope, name: string) => scope.parameter(name, [], initializers.ones);

  async function play(changes: Partial<TrainingOptions> = {}) {
    const training = trainingGraph({ ...game, ...changes });
    const executable = await onnx.compile(training.graph, {
      parameters: new Map([...training.parameters.keys()].map((name) => [name, float32([], [1])])),
    });
    const state = [...training.state].map(([name, shape]) => [name, float32(shape, [1])] as const);
    const results = await executable.run({
      ...Object.fromEntries(state),
      step: int32([], [0]),
      learningRate: float32([3], [0.1, 0.1, 0.1]),
    });
    return { training, results };
  }

  test('updates each with its own loss, the adversary with the values after the first update', async () => {
    const { training, results } = await play();
    expect([...training.state.keys()]).toEqual(['a', 'b']);
    let [a, b] = [1, 1];
    const [losses, adversaryLosses, seen]: number[][] = [[], [], []];
    for (let step = 0; step < 3; step++) {
      losses!.push(a * b);
      a -= 0.1 * b;
      adversaryLosses!.push(-a * b);
      seen!.push(a);
      b += 0.1 * a;
    }
    const expected = { loss: losses!, bLoss: adversaryLosses!, seen: seen!, a: [a], b: [b] };
    for (const [name, values] of Object.entries(expected))
      expect(relativeError(results[name]!.data, values), name).toBeLessThan(1e-6);
    expect(relativeError(results.bGradientNorm!.data, seen!)).toBeLessThan(1e-6);
  });

  test('keeps no moving average of the adversary', async () => {
    const { training } = await play({ averageDecay: 0.9 });
    expect([...training.state.keys()]).toEqual(['a', 'b', 'average/a']);
  });

  test('may freeze either of them', async () => {
    for (const frozen of ['a', 'b']) {
      const { training, results } = await play({ rateFactor: (name) => (name === frozen ? 0 : 1) });
      expect([...training.state.keys()]).toEqual(frozen === 'a' ? ['b'] : ['a']);
      expect(results[frozen === 'a' ? 'gradientNorm' : 'bGradientNorm']!.data[0]).toBe(0);
    }
  });
});
