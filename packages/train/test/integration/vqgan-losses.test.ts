import { readFileSync } from 'node:fs';
import { type Graph, input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { adam, grad, initialState, trainingGraph } from '@dalle-mini/graph/training';
import { readPerceptualWeights } from '@dalle-mini/perceptual/node';
import { int32, relativeError } from '@dalle-mini/testing/values';
import type { VqganConfig } from '@dalle-mini/vqgan';
import { readSafetensors, toFloat32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { discriminatorLoss, perceptualPrefix, vqganLoss } from '../../src/losses/vqgan.js';

type Log = Readonly<Record<string, number>>;
interface Logs {
  readonly vqgan: Log;
  readonly discriminator: Log;
}
interface Derivatives {
  readonly logs: Logs;
  readonly gradients: Readonly<Record<string, readonly [norm: number, sum: number]>>;
  readonly buffers: Readonly<Record<string, readonly number[]>>;
}
interface Case {
  readonly loss: Readonly<Record<string, number>> & {
    readonly disc_loss: 'hinge' | 'vanilla';
    readonly use_actnorm: boolean;
  };
  readonly before: Derivatives;
  readonly after: Derivatives;
  readonly steps: readonly Logs[];
}

/** Computed by scripts/reference/vqgan_losses.py with Taming's code, in float64. */
const file = (extension: string) => readFileSync(new URL(`../fixtures/taming-losses.${extension}`, import.meta.url));
const reference: {
  model: { ddconfig: Record<string, number & number[]>; n_embed: number; embed_dim: number };
  learningRate: number;
  cases: Record<string, Case>;
} = JSON.parse(String(file('json')));
const { tensors } = readSafetensors(file('safetensors'));
const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { ddconfig, n_embed, embed_dim } = reference.model;
const model: VqganConfig = {
  resolution: ddconfig.resolution!,
  inChannels: 3,
  ch: ddconfig.ch!,
  chMult: ddconfig.ch_mult!,
  numResBlocks: ddconfig.num_res_blocks!,
  attnResolutions: [],
  zChannels: ddconfig.z_channels!,
  embedDim: embed_dim,
  nEmbed: n_embed,
};
const images: TensorData = {
  dtype: 'float32',
  shape: tensors.get('images')!.shape,
  data: toFloat32(tensors.get('images')!),
};

/** The configuration of a case. */
function configOf({ loss }: Case) {
  return {
    model,
    squaredErrorWeight: 0,
    absoluteErrorWeight: 1,
    // `legacy` of VectorQuantizer2.
    codebookWeight: 0.25,
    commitmentWeight: 1,
    discriminator: {
      layers: loss.disc_num_layers,
      width: loss.disc_ndf,
      norm: loss.use_actnorm ? 'actnorm' : 'batch',
      start: loss.disc_start!,
      trainedFrom: loss.disc_start!,
      weight: loss.disc_weight,
      loss: loss.disc_loss,
    },
  } as const;
}

function storedValue(name: string, caseName: string, shape: readonly number[]): TensorData & { data: Float32Array } {
  const tensor = tensors.get(name) ?? tensors.get(`${caseName}.${name}`);
  if (!tensor) throw new Error(`${name} is missing from the fixture.`);
  return { dtype: 'float32', shape, data: toFloat32(tensor) };
}

/** The norm of a tensor, and its product with the cosines of 1, 2, …. */
function checksum(values: ArrayLike<number>): readonly [number, number] {
  let [squares, sum] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    squares += values[i]! ** 2;
    sum += values[i]! * Math.cos(i + 1);
  }
  return [Math.sqrt(squares), sum];
}

/** What Taming logs, by the names that the losses here have. */
const logNames = {
  vqgan: { nll_loss: 'absoluteError', g_loss: 'adversarialLoss', total_loss: 'loss' },
  discriminator: { disc_loss: 'loss', logits_real: 'realLogits', logits_fake: 'fakeLogits' },
} as const;

function expectLogs(actual: Readonly<Record<string, number>>, expected: Log, names: Readonly<Record<string, string>>) {
  // float32 compared with float64, through some thirty layers.
  for (const [theirs, ours] of Object.entries(names))
    expect(Math.abs(actual[ours]! - expected[theirs]!), ours).toBeLessThan(2e-5 * (1 + Math.abs(expected[theirs]!)));
}

describe.each(Object.entries(reference.cases))('the losses of Taming Transformers, %s', (name, given) => {
  const config = configOf(given);

  test.each(['before', 'after'] as const)('have the same values and gradients %s the start', async (moment) => {
    const expected = given[moment];
    const scope = new ParameterScope();
    const inputs = { images: input('images', images.shape), step: input('step', [], 'int32') };
    const own = vqganLoss(scope, inputs.images, config, inputs.step);
    const adversary = discriminatorLoss(scope, inputs.images, config, inputs.step);
    const trained = [...scope.parameters].filter(([name]) => !scope.bufferNames.has(name));
    expect(trained.map(([name]) => name).sort()).toEqual(Object.keys(expected.gradients).sort());
    const outputs: Record<string, Graph['outputs'][string]> = {};
    for (const [kind, result] of Object.entries({ vqgan: own, discriminator: adversary })) {
      const part = trained.filter(([name]) => name.startsWith('loss.') === (kind === 'discriminator'));
      const gradients = grad(
        result.surrogate ?? result.loss,
        part.map(([, tensor]) => tensor),
      );
      for (const [i, [name]] of part.entries()) outputs[`gradient/${name}`] = gradients[i]!;
      for (const [name, tensor] of Object.entries({ loss: result.loss, ...result.metrics }))
        outputs[`${kind}/${name}`] = tensor;
    }
    for (const name of scope.bufferNames) outputs[`buffer/${name}`] = scope.assignments.get(name)!;
    const parameters = new Map([...scope.parameters].map(([key, { shape }]) => [key, storedValue(key, name, shape)]));
    const executable = await runtime.compile({ inputs, outputs }, { parameters });
    const results = await executable.run({ images, step: int32([], [moment === 'before' ? 0 : 1]) });
    await executable.dispose();

    for (const [kind, names] of Object.entries(logNames)) {
      const actual = Object.values(names).map((ours) => [ours, results[`${kind}/${ours}`]!.data[0]!] as const);
      expectLogs(Object.fromEntries(actual), expected.logs[kind as keyof Logs], names);
    }
    const weight = expected.logs.vqgan.d_weight! * expected.logs.vqgan.disc_factor!;
    expect(results['vqgan/adversarialWeight']!.data[0]).toBeCloseTo(weight, 4);
    // Biases in front of a normalization have no gradient but rounding errors.
    const floor = 1e-6;
    for (const [key, [norm, sum]] of Object.entries(expected.gradients)) {
      const actual = checksum(results[`gradient/${key}`]!.data);
      expect(Math.abs(actual[0] - norm), key).toBeLessThan(1e-4 * norm + floor);
      expect(Math.abs(actual[1] - sum), key).toBeLessThan(1e-4 * norm + floor);
    }
    for (const [key, values] of Object.entries(expected.buffers)) {
      const actual = results[`buffer/${key}`]!.data;
      for (const [i, value] of values.entries()) expect(actual[i], key).toBeCloseTo(value, 4);
    }
  });

  test('have the same values in each step of a training graph', async () => {
    const optimizer = adam({ beta1: 0.5, beta2: 0.9 });
    const steps = given.steps.length;
    const training = trainingGraph({
      batch: { images: { shape: images.shape, dtype: 'float32' } },
      loss: (scope, { images }, step) => vqganLoss(scope, images!, config, step),
      optimizer,
      adversary: {
        name: 'discriminator',
        prefix: 'loss.discriminator.',
        loss: (scope, { images }, step) => discriminatorLoss(scope, images!, config, step),
        optimizer,
      },
      stepsPerRun: steps,
    });
    const parameters = new Map(
      [...training.parameters].map(([key, { shape }]) => [key, storedValue(key, name, shape)]),
    );
    const state = [...initialState(training, parameters)].map(([key, data]): [string, TensorData] => [
      key,
      { dtype: 'float32', shape: training.state.get(key)!, data },
    ]);
    const executable = await runtime.compile(training.graph);
    const results = await executable.run({
      ...Object.fromEntries(state),
      images: {
        dtype: 'float32',
        shape: [steps, 1, ...images.shape],
        data: Float32Array.from({ length: steps * images.data.length }, (_, i) => images.data[i % images.data.length]!),
      },
      step: int32([], [0]),
      learningRate: { dtype: 'float32', shape: [steps], data: new Float32Array(steps).fill(reference.learningRate) },
    });
    await executable.dispose();
    for (const [step, { vqgan, discriminator }] of given.steps.entries()) {
      const at = (names: Readonly<Record<string, string>>) =>
        Object.fromEntries(Object.values(names).map((name) => [name, results[name]!.data[step]!]));
      expectLogs(at(logNames.vqgan), vqgan, logNames.vqgan);
      const others = { ...logNames.discriminator, disc_loss: 'discriminatorLoss' };
      expectLogs(at(others), discriminator, others);
    }
    // The discriminator has changed: the logits of the same images are others.
    const [first, last] = [given.steps[1]!, given.steps.at(-1)!];
    expect(Math.abs(last.discriminator.logits_real! - first.discriminator.logits_real!)).toBeGreaterThan(1e-3);
  });
});

test('the surrogate of the loss has its gradients, with a perceptual and an adversarial term', async () => {
  const given = reference.cases.hinge!;
  const config = { ...configOf(given), perceptual: { weight: 0.5 } };
  const discriminator = { ...config.discriminator, adaptive: false };
  const scope = new ParameterScope();
  const inputs = { images: input('images', images.shape), step: input('step', [], 'int32') };
  const { loss, surrogate } = vqganLoss(scope, inputs.images, { ...config, discriminator }, inputs.step);
  const names = [
    'decoder.conv_out.weight',
    'post_quant_conv.weight',
    'encoder.conv_in.weight',
    'quantize.embedding.weight',
  ];
  const by = names.map((name) => scope.parameters.get(name)!);
  const [whole, cheap] = [grad(loss, by), grad(surrogate!, by)];
  const outputs = Object.fromEntries(
    names.flatMap((name, i) => [
      [name, whole[i]!],
      [`surrogate/${name}`, cheap[i]!],
    ]),
  );
  const weights = [...(await readPerceptualWeights('vgg16'))].map(
    ([key, value]) => [perceptualPrefix + key, value] as const,
  );
  const own = [...scope.parameters].filter(([key]) => !key.startsWith(perceptualPrefix));
  const parameters = new Map<string, StoredParameter>([
    ...weights,
    ...own.map(([key, { shape }]) => [key, storedValue(key, 'hinge', shape)] as const),
  ]);
  const executable = await runtime.compile({ inputs, outputs }, { parameters });
  const results = await executable.run({ images, step: int32([], [1]) });
  await executable.dispose();
  for (const name of names)
    expect(relativeError(results[`surrogate/${name}`]!.data, results[name]!.data), name).toBeLessThan(1e-4);
});
