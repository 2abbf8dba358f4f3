import { createRandom } from '@dalle-mini/core';
import { type DecoderConfig, teacherForced } from '@dalle-mini/decoder';
import * as g from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import {
  adafactor,
  adam,
  adamW,
  initialState,
  muon,
  type Optimizer,
  sgd,
  trainingGraph,
} from '@dalle-mini/graph/training';
import { tinyDecoder } from '@dalle-mini/testing/tiny-decoder';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaRuntime } from '@dalle-mini/xla';
import { expect, test } from 'vitest';

type Float32Tensor = Extract<g.TensorData, { dtype: 'float32' }>;

const [batch, textLength] = [4, 5];
const config: DecoderConfig = { ...tinyDecoder, width: 32, feedForwardWidth: 64 };
const length = config.gridSize ** 2;

function trainingOf(optimizer: Optimizer, stepsPerRun: number) {
  return trainingGraph({
    batch: {
      tokens: { shape: [batch, length], dtype: 'int32' },
      hiddenStates: { shape: [batch, textLength, config.textWidth], dtype: 'float32' },
      attentionMask: { shape: [batch, textLength], dtype: 'int32' },
    },
    loss: (scope, { tokens, hiddenStates, attentionMask }) => {
      const text = { hiddenStates: hiddenStates!, attentionMask: attentionMask! };
      return { loss: g.mean(g.crossEntropy(teacherForced(scope, config, tokens!, text), tokens!)) };
    },
    optimizer,
    stepsPerRun,
    clipNorm: 1,
    averageDecay: 0.9,
  });
}

/** The inputs of the run that begins with a step. */
function inputsOf(step: number, stepsPerRun: number): Record<string, g.TensorData> {
  const random = createRandom(9, step);
  const draw = (size: number, next: () => number) => Array.from({ length: stepsPerRun * batch * size }, next);
  return {
    learningRate: { dtype: 'float32', shape: [stepsPerRun], data: new Float32Array(stepsPerRun).fill(3e-3) },
    step: { dtype: 'int32', shape: [], data: Int32Array.of(step) },
    tokens: {
      dtype: 'int32',
      shape: [stepsPerRun, 1, batch, length],
      data: Int32Array.from(draw(length, () => random.integer(config.vocabularySize))),
    },
    hiddenStates: {
      dtype: 'float32',
      shape: [stepsPerRun, 1, batch, textLength, config.textWidth],
      data: Float32Array.from(draw(textLength * config.textWidth, () => random.normal())),
    },
    attentionMask: {
      dtype: 'int32',
      shape: [stepsPerRun, 1, batch, textLength],
      data: Int32Array.from(draw(textLength, () => 1)),
    },
  };
}

const steps = 20;

describeXla('training of a decoder on XLA', () => {
  test.each([
    ['SGD', sgd(), 1],
    ['Adam', adam(), 1],
    ['AdamW', adamW({ weightDecay: 0.05 }), 5],
    ['Adafactor', adafactor(), 5],
    ['Muon', muon(), 5],
  ])('with %s has the losses of ONNX Runtime, with its state on the device', async (_, optimizer, stepsPerRun) => {
    const training = trainingOf(optimizer, stepsPerRun);
    const initial = initialState(training, initializeParameters(training.parameters, 1) as Map<string, Float32Tensor>);
    const state = Object.fromEntries(
      [...initial].map(([name, data]) => [name, { dtype: 'float32', shape: training.state.get(name)!, data } as const]),
    );

    await using onnx = new OnnxRuntime({ threads: 1 });
    const reference = await onnx.compile(training.graph);
    await using xla = await XlaRuntime.open({ plugin: cpuPlugin, cache: { maxBytes: 0 } });
    const held = await (await xla.compile(training.graph)).holdState(state);

    let expected: Record<string, g.TensorData> = state;
    for (let step = 0; step < steps; step += stepsPerRun) {
      const outputs = await reference.run({ ...expected, ...inputsOf(step, stepsPerRun) });
      const ours = await held.run(inputsOf(step, stepsPerRun));
      expected = Object.fromEntries(Object.keys(state).map((name) => [name, outputs[name]!]));
      for (const [i, loss] of outputs.loss!.data.entries())
        expect(Math.abs(ours.loss!.data[i]! - loss)).toBeLessThan(1e-4);
    }
    const read = await held.read();
    expect(Object.keys(read).sort()).toEqual([...training.state.keys()].sort());
  });
});
