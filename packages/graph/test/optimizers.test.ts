import { readFileSync } from 'node:fs';
import * as g from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import * as training from '@dalle-mini/graph/training';
import { float32, relativeError, Values } from '@dalle-mini/testing/values';
import { afterAll, describe, expect, test } from 'vitest';
import { largestAxes } from '../src/training/optimizers.js';

type Table = Record<string, { shape: number[]; data: number[] }>;

/** Computed by scripts/reference/optimizers.py with PyTorch and transformers, in float64. */
const reference: {
  parameters: Table;
  gradients: Table[];
  learningRates: number[];
  optimizers: Record<string, Table[]>;
  clipping: Record<string, { norm: number; gradients: Table }>;
} = JSON.parse(readFileSync(new URL('./fixtures/optimizers.json', import.meta.url), 'utf8'));

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** Takes the steps of the reference, and returns the parameters after each step. */
async function takeSteps(optimizer: training.Optimizer): Promise<Record<string, g.TensorData>[]> {
  const inputs: Record<string, g.Tensor> = {
    learningRate: g.input('learningRate', []),
    step: g.input('step', []),
  };
  const outputs: Record<string, g.Tensor> = {};
  let state: Record<string, g.TensorData> = {};
  for (const [name, { shape, data }] of Object.entries(reference.parameters)) {
    inputs[name] = g.input(name, shape);
    inputs[`gradient/${name}`] = g.input(`gradient/${name}`, shape);
    state[name] = float32(shape, data);
    const slots: Record<string, g.Tensor> = {};
    for (const [slot, slotShape] of Object.entries(optimizer.slots(shape))) {
      slots[slot] = g.input(slot, slotShape);
      inputs[`${slot}/${name}`] = slots[slot];
      state[`${slot}/${name}`] = float32(slotShape, new Float32Array(g.sizeOf(slotShape)));
    }
    const updated = optimizer.update({
      name,
      shape,
      parameter: inputs[name],
      gradient: inputs[`gradient/${name}`]!,
      slots,
      learningRate: inputs.learningRate!,
      step: inputs.step!,
    });
    expect(Object.keys(updated.slots)).toEqual(Object.keys(slots));
    outputs[name] = updated.parameter;
    for (const [slot, tensor] of Object.entries(updated.slots)) outputs[`${slot}/${name}`] = tensor;
  }
  const executable = await runtime.compile({ inputs, outputs });
  const states: Record<string, g.TensorData>[] = [];
  for (const [step, gradients] of reference.gradients.entries()) {
    const feeds: Record<string, g.TensorData> = {
      ...state,
      learningRate: float32([], [reference.learningRates[step]!]),
      step: float32([], [step + 1]),
    };
    for (const [name, { shape, data }] of Object.entries(gradients)) feeds[`gradient/${name}`] = float32(shape, data);
    state = await executable.run(feeds);
    states.push(state);
  }
  await executable.dispose();
  return states;
}

/** The axes that PyTorch and Transformers factor. */
const lastAxes = (shape: g.Shape) => (shape.length < 2 ? undefined : ([shape.length - 2, shape.length - 1] as const));

describe('an optimizer steps as its reference does', () => {
  const optimizers: Record<string, training.Optimizer> = {
    sgd: training.sgd(),
    'sgd momentum 0.9': training.sgd({ momentum: 0.9 }),
    adam: training.adam(),
    'adam beta1 0.8 beta2 0.95 epsilon 0.01': training.adam({ beta1: 0.8, beta2: 0.95, epsilon: 0.01 }),
    adamW: training.adamW(),
    'adamW weightDecay 0.1 everywhere': training.adamW({ weightDecay: 0.1, decays: () => true }),
    adafactor: training.adafactor({ factoredAxes: lastAxes }),
    'adafactor clipThreshold 0.5 decayExponent -0.6 weightDecay 0.1': training.adafactor({
      clipThreshold: 0.5,
      decayExponent: -0.6,
      weightDecay: 0.1,
      decays: () => true,
      factoredAxes: lastAxes,
    }),
  };

  test('for every case of the reference', () => {
    expect(Object.keys(optimizers)).toEqual(Object.keys(reference.optimizers));
  });

  test.each(Object.entries(optimizers))('%s', async (name, optimizer) => {
    const states = await takeSteps(optimizer);
    for (const [step, expected] of reference.optimizers[name]!.entries()) {
      for (const [parameter, { data }] of Object.entries(expected)) {
        const before = reference.parameters[parameter]!.data;
        const changes = (after: ArrayLike<number>) => Array.from(after, (x, i) => x - before[i]!);
        // Relative to the change since the start. Adam's first step divides by 1 − 0.999, whose float32 error is 1.3e-5.
        const error = relativeError(changes(states[step]![parameter]!.data), changes(data));
        expect(error, `${parameter} after step ${step + 1}`).toBeLessThan(2e-5);
      }
    }
  });
});

describe('weight decay', () => {
  const parameter = g.input('parameter', [2, 2]);
  const names = ['learningRate', 'step'] as const;
  const [learningRate, step] = names.map((name) => g.input(name, [])) as [g.Tensor, g.Tensor];

  /** Takes one step from parameters of 1 with a zero gradient, so that only weight decay changes them. */
  async function decayed(optimizer: training.Optimizer, name: string, shape: g.Shape): Promise<number> {
    const x = g.broadcastTo(g.reshape(g.slice(parameter, [0, 0], [1, 1]), []), shape);
    const slots = Object.fromEntries(
      Object.entries(optimizer.slots(shape)).map(([slot, slotShape]) => [slot, g.fill(slotShape, 0)]),
    );
    const gradient = g.fill(shape, 0);
    const updated = optimizer.update({ name, shape, parameter: x, gradient, slots, learningRate, step });
    const graph = { inputs: { parameter, learningRate, step }, outputs: { y: updated.parameter } };
    const executable = await runtime.compile(graph);
    const one = float32([], [1]);
    const { y } = await executable.run({
      parameter: float32([2, 2], [1, 1, 1, 1]),
      learningRate: float32([], [0.5]),
      step: one,
    });
    return y!.data[0]!;
  }

  test('is the learning rate times its strength, independent of the gradient', async () => {
    expect(await decayed(training.adamW({ weightDecay: 0.25 }), 'w', [2, 2])).toBe(0.875);
    expect(await decayed(training.adafactor({ weightDecay: 0.25 }), 'w', [2, 2])).toBe(0.875);
  });

  test.each([
    ['AdamW', training.adamW],
    ['Adafactor', training.adafactor],
  ])('of %s by default skips parameters of fewer than two axes', async (_, optimizer) => {
    expect(await decayed(optimizer({ weightDecay: 0.25 }), 'bias', [2])).toBe(1);
    const decays = (name: string) => !name.includes('embedding');
    expect(await decayed(optimizer({ weightDecay: 0.25, decays }), 'bias', [2])).toBe(0.875);
    expect(await decayed(optimizer({ weightDecay: 0.25, decays }), 'embedding.weight', [2, 2])).toBe(1);
  });

  test('is none in Adam', async () => {
    expect(await decayed(training.adam(), 'w', [2, 2])).toBe(1);
  });
});

describe('Adafactor factors second moments', () => {
  // The results of `optax._src.factorized._factored_dims`.
  test.each<[g.Shape, readonly [number, number] | undefined]>([
    [
      [200, 300],
      [0, 1],
    ],
    [
      [300, 200],
      [1, 0],
    ],
    [
      [128, 128],
      [0, 1],
    ],
    [
      [512, 256, 3, 3],
      [1, 0],
    ],
    [
      [3, 3, 256, 512],
      [2, 3],
    ],
    [
      [8, 300, 200],
      [2, 1],
    ],
    [
      [200, 3, 200, 200],
      [2, 3],
    ],
    [[127, 1000], undefined],
    [[1000], undefined],
    [[], undefined],
  ])('of a parameter of shape %j along the axes %j', (shape, axes) => {
    expect(largestAxes(shape)).toEqual(axes);
  });

  test('into one number per row and one per column', () => {
    expect(training.adafactor().slots([512, 256, 3, 3])).toEqual({ row: [1, 256, 3, 3], column: [512, 1, 3, 3] });
    expect(training.adafactor().slots([20, 30])).toEqual({ square: [20, 30] });
  });

  test('along axes that are not the last, as computed by hand', async () => {
    // A kernel [3, 2, 1, 2], factored along its first two axes, consists of two matrices of 3 × 2, one per index of the last axis.
    const shape = [3, 2, 1, 2];
    const optimizer = training.adafactor({ factoredAxes: () => [1, 0], clipThreshold: 1e9 });
    const [parameter, gradient] = [g.input('parameter', shape), g.input('gradient', shape)];
    const slots = Object.fromEntries(
      Object.entries(optimizer.slots(shape)).map(([slot, slotShape]) => [slot, g.fill(slotShape, 0)]),
    );
    const updated = optimizer.update({
      name: 'conv.weight',
      shape,
      parameter,
      gradient,
      slots,
      learningRate: g.fill([], 1),
      step: g.fill([], 1),
    });
    const graph = { inputs: { parameter, gradient }, outputs: { y: updated.parameter } };
    const executable = await runtime.compile(graph);
    // At the first step the decay is 0, so the moments are those of this gradient.
    const first = [1, 2, 3, 4, 5, 6];
    const second = [2, 2, 2, 1, 1, 1];
    const { y } = await executable.run({
      parameter: float32(shape, Array(12).fill(0)),
      gradient: float32(
        shape,
        first.flatMap((x, i) => [x, second[i]!]),
      ),
    });
    // First matrix, of squares [1 4; 9 16; 25 36]: means of columns 35/3 and 56/3, of rows 5/2, 25/2 and 61/2, of all 91/6.
    const moments = [2.5, 12.5, 30.5].flatMap((row) => [35 / 3, 56 / 3].map((column) => (row * column) / (91 / 6)));
    // Second matrix, of squares [4 4; 4 1; 1 1]: means of columns 3 and 2, of rows 4, 5/2 and 1, of all 5/2.
    const others = [4, 2.5, 1].flatMap((row) => [3, 2].map((column) => (row * column) / 2.5));
    const expected = first.flatMap((x, i) => [-x / Math.sqrt(moments[i]!), -second[i]! / Math.sqrt(others[i]!)]);
    // A few roundings of float32.
    expect(relativeError(y!.data, expected)).toBeLessThan(1e-6);
  });
});

test.each<[string, () => training.Optimizer, string]>([
  ['sgd', () => training.sgd({ momentum: 1 }), 'momentum must be a number of at least 0 and below 1, not 1.'],
  ['adam', () => training.adam({ beta2: -0.1 }), 'beta2 must be a number of at least 0 and below 1, not -0.1.'],
  [
    'adam',
    () => training.adam({ weightDecay: 0.1 } as training.AdamOptions),
    'The option weightDecay of adam is not known.',
  ],
  ['adamW', () => training.adamW({ weightDecay: Number.NaN }), 'weightDecay must be a number of at least 0, not NaN.'],
  ['adafactor', () => training.adafactor({ clipThreshold: 0 }), 'clipThreshold must be a number above 0, not 0.'],
])('%s refuses an invalid option by name', (_, create, message) => {
  expect(create).toThrow(message);
});

describe('clipping by the global norm', () => {
  const entries = Object.entries(reference.gradients[0]!);
  const tensors = entries.map(([name, { shape }]) => g.input(name, shape));
  const inputs = Object.fromEntries(entries.map(([name], i) => [name, tensors[i]!]));
  const feeds = Object.fromEntries(entries.map(([name, { shape, data }]) => [name, float32(shape, data)]));

  test.each(Object.entries(reference.clipping))('to %s agrees with PyTorch', async (limit, expected) => {
    const { gradients, norm } = training.clipByGlobalNorm(tensors, Number(limit));
    const outputs = { ...Object.fromEntries(entries.map(([name], i) => [`clipped ${name}`, gradients[i]!])), norm };
    const results = await (await runtime.compile({ inputs, outputs })).run(feeds);
    // float32 sums of 50 squares.
    expect(relativeError(results.norm!.data, [expected.norm])).toBeLessThan(1e-6);
    for (const [name, { data }] of Object.entries(expected.gradients))
      expect(relativeError(results[`clipped ${name}`]!.data, data), name).toBeLessThan(1e-6);
  });

  test('does not change zero gradients', async () => {
    const x = g.input('x', [3]);
    const { gradients, norm } = training.clipByGlobalNorm([x], 1);
    const executable = await runtime.compile({ inputs: { x }, outputs: { y: gradients[0]!, norm } });
    const results = await executable.run({ x: float32([3], [0, 0, 0]) });
    expect([...results.y!.data, ...results.norm!.data]).toEqual([0, 0, 0, 0]);
  });
});

describe('a learning rate', () => {
  const sample = (schedule: training.Schedule, steps: readonly number[]) => steps.map(schedule);

  test('is constant', () => {
    expect(sample(training.constantRate(0.1), [0, 1, 1000])).toEqual([0.1, 0.1, 0.1]);
  });

  test('decays linearly, and stays at its end', () => {
    expect(sample(training.linearDecay(1, 4), [0, 1, 2, 3, 4, 5, 100])).toEqual([1, 0.75, 0.5, 0.25, 0, 0, 0]);
    expect(sample(training.linearDecay(1, 4, 0.5), [0, 2, 4, 5])).toEqual([1, 0.75, 0.5, 0.5]);
  });

  test('decays along half a cosine, and stays at its end', () => {
    const rates = sample(training.cosineDecay(2, 6, 1), [0, 2, 3, 4, 6, 7]);
    // cos 0, 60°, 90°, 120° and 180°.
    for (const [i, rate] of [2, 1.75, 1.5, 1.25, 1, 1].entries()) expect(rates[i]).toBeCloseTo(rate, 12);
  });

  test('rises linearly to the start of the next schedule, without a step of 0', () => {
    const schedule = training.warmUp(4, training.linearDecay(1, 2));
    expect(sample(schedule, [0, 1, 2, 3, 4, 5, 6])).toEqual([0.25, 0.5, 0.75, 1, 1, 0.5, 0]);
    expect(sample(training.warmUp(0, training.constantRate(3)), [0, 1])).toEqual([3, 3]);
  });
});

test('every optimizer finds the minimum of a quadratic function', async () => {
  const values = new Values(5);
  const target = values.floats([3, 4], -1, 1);
  const rates: [training.Optimizer, number][] = [
    [training.sgd({ momentum: 0.9 }), 0.05],
    [training.adam(), 0.05],
    [training.adamW({ weightDecay: 0 }), 0.05],
    [training.adafactor(), 0.05],
  ];
  for (const [optimizer, rate] of rates) {
    const start = g.fill([3, 4], 0);
    const slots = Object.entries(optimizer.slots([3, 4]));
    const steps = 200;
    const { carried } = g.loop(steps, [start, ...slots.map(([, shape]) => g.fill(shape, 0))], (i, [x, ...state]) => {
      const done = g.cast(i, 'float32');
      const updated = optimizer.update({
        name: 'x',
        shape: [3, 4],
        parameter: x!,
        gradient: g.sub(x!, g.constant(target)),
        slots: Object.fromEntries(slots.map(([slot], n) => [slot, state[n]!])),
        learningRate: g.mul(g.sub(1, g.div(done, steps)), rate),
        step: g.add(done, 1),
      });
      return { carried: [updated.parameter, ...slots.map(([slot]) => updated.slots[slot]!)] };
    });
    const executable = await runtime.compile({ inputs: {}, outputs: { x: carried[0]! } });
    expect(relativeError((await executable.run({})).x!.data, target.data)).toBeLessThan(0.02);
    await executable.dispose();
  }
});
