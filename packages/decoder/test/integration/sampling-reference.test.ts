import { createRandom } from '@dalle-mini/core';
import { guide } from '@dalle-mini/decoder';
import { broadcastTo, input, reshape } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { fixture } from '@dalle-mini/testing/published';
import { toFloat32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { distribution, sample } from '../../src/sampling.js';
import { chiSquare, criticalChiSquare } from '../chi-square.js';
import { floats } from '../published.js';
import { float, inputsOf, lastUniform, type Options, valuesOf } from '../sampling-options.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

type Setting = Options & { readonly guidanceScale: number };

const { description, tensors } = fixture(new URL('../fixtures/sampling', import.meta.url));
const { rows, settings } = description as { rows: readonly string[]; settings: readonly Setting[] };
const conditional = floats(tensors.get('conditional')!);
const unconditional = floats(tensors.get('unconditional')!);
const [, vocabulary] = conditional.shape as [number, number];
const logProbabilities = toFloat32(tensors.get('log_probabilities')!);

/** The probabilities of the published code by token, and the tokens that it kept. */
function published(setting: Setting, row: number): { probabilities: number[]; kept: boolean[] } {
  const start = (settings.indexOf(setting) * rows.length + row) * vocabulary;
  const ofRow = [...logProbabilities.subarray(start, start + vocabulary)];
  return { probabilities: ofRow.map(Math.exp), kept: ofRow.map(Number.isFinite) };
}

/** Returns the distribution, and the samples for a number of uniform numbers per row. */
async function compileSampler(guided: boolean, draws: number) {
  const shape = [rows.length, vocabulary];
  const logits = input('conditional', shape);
  const guidance = guided && {
    unconditional: input('unconditional', shape),
    guidanceScale: input('guidanceScale', []),
  };
  const guidedLogits = guidance ? guide(logits, guidance.unconditional, guidance.guidanceScale) : logits;
  const repeated = broadcastTo(reshape(guidedLogits, [rows.length, 1, vocabulary]), [rows.length, draws, vocabulary]);
  const options = inputsOf();
  const uniforms = input('uniforms', [rows.length * draws]);
  const executable = await runtime.compile({
    inputs: { conditional: logits, ...guidance, ...options, uniforms },
    outputs: {
      ...distribution(guidedLogits, options),
      drawn: sample(reshape(repeated, [rows.length * draws, vocabulary]), options, uniforms),
    },
  });
  return async (setting: Setting, numbers: Float32Array) => {
    const { probabilities, tokens, drawn } = await executable.run({
      conditional,
      ...(guided ? { unconditional, guidanceScale: float([setting.guidanceScale]) } : {}),
      ...valuesOf(setting),
      uniforms: float(numbers, [rows.length * draws]),
    });
    return rows.map((name, row) => {
      const byToken = new Float32Array(vocabulary);
      for (let rank = row * vocabulary; rank < (row + 1) * vocabulary; rank++)
        byToken[tokens!.data[rank]!] = probabilities!.data[rank]!;
      return { name, probabilities: byToken, drawn: [...drawn!.data.subarray(row * draws, (row + 1) * draws)] };
    });
  };
}

/** Returns logits as a decoder computes them: without unconditional logits if there is no guidance. */
async function compileSamplers(draws: number) {
  const samplers = { guided: await compileSampler(true, draws), plain: await compileSampler(false, draws) };
  return (setting: Setting, uniforms: Float32Array) =>
    samplers[setting.guidanceScale === 1 ? 'plain' : 'guided'](setting, uniforms);
}

const title = 'guidance $guidanceScale, temperature $temperature, topK $topK, topP $topP';

describe('tokens are sampled as in the published code', async () => {
  // The ends of the range of uniform numbers, and numbers between them.
  const steps = 1000;
  const spread = [0, lastUniform, ...Array.from({ length: steps }, (_, i) => (i + 0.5) / steps)];
  const draw = await compileSamplers(spread.length);
  const uniforms = Float32Array.from(rows.flatMap(() => spread));

  describe.each(settings)(title, (setting) => {
    test('from the same distribution', async () => {
      for (const [row, { name, probabilities }] of (await draw(setting, uniforms)).entries()) {
        const expected = published(setting, row);
        const tokens = [...expected.kept.keys()];
        // Probabilities below the smallest normal float32 count as excluded.
        const certain = tokens.filter((token) => !expected.kept[token] || expected.probabilities[token]! >= 2 ** -126);
        const kept = certain.filter((token) => expected.kept[token]);
        expect(
          certain.filter((token) => probabilities[token]! > 0),
          name,
        ).toEqual(kept);

        const errors = tokens.map((token) => Math.abs(probabilities[token]! - expected.probabilities[token]!));
        expect(Math.max(...errors), name).toBeLessThan(1e-5);
        const likely = tokens.filter((token) => expected.probabilities[token]! > 1e-6);
        const relative = likely.map((token) => errors[token]! / expected.probabilities[token]!);
        // Rounding of 16 · (c − u) / 0.3 in float32, in the exponent.
        expect(Math.max(...relative), name).toBeLessThan(1e-4);
      }
    });

    test('in proportion to its probabilities at equally spaced uniform numbers, and only kept tokens at both ends', async () => {
      for (const [row, { name, drawn }] of (await draw(setting, uniforms)).entries()) {
        const expected = published(setting, row);
        const [first, last, ...between] = drawn as [number, number, ...number[]];
        expect(expected.probabilities[first], name).toBe(Math.max(...expected.probabilities));
        expect(expected.kept[last], name).toBe(true);
        const excess = expected.probabilities.map(
          (p, token) => between.filter((other) => other === token).length - steps * p,
        );
        // An interval of length p has `steps · p` numbers, within less than one, plus rounding.
        expect(Math.max(...excess.map(Math.abs)), name).toBeLessThan(1.01);
      }
    });
  });
});

describe('random samples have the frequencies of the published code', async () => {
  const draws = 20_000;
  const draw = await compileSamplers(draws);

  const choosing = settings.filter(({ topK }) => topK > 1);
  test.each(choosing.filter((_, i) => i % 3 === 0))(title, async (setting) => {
    const random = createRandom(settings.indexOf(setting));
    const uniforms = Float32Array.from({ length: rows.length * draws }, () => random.uniform());
    // The sum of independent chi-square statistics is a chi-square statistic with the sum of their degrees of freedom.
    let statistic = 0;
    let degrees = 0;
    for (const [row, { name, drawn }] of (await draw(setting, uniforms)).entries()) {
      const { probabilities, kept } = published(setting, row);
      expect(
        drawn.every((token) => kept[token]),
        name,
      ).toBe(true);
      const ofRow = chiSquare(drawn, probabilities);
      statistic += ofRow.statistic;
      degrees += ofRow.degrees;
    }
    expect(statistic).toBeLessThan(criticalChiSquare(degrees));
  });
});
