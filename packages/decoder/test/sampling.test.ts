import { createRandom } from '@dalle-mini/core';
import { guide } from '@dalle-mini/decoder';
import { broadcastTo, input } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { afterAll, describe, expect, test } from 'vitest';
import { distribution, sample, sampleAll } from '../src/sampling.js';
import { chiSquare, criticalChiSquare } from './chi-square.js';
import { float, inputsOf, lastUniform, type Options, valuesOf } from './sampling-options.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

/** Computes the distribution of one row of logits in float64, most likely token first. */
function reference(logits: Float32Array, { temperature, topK, topP }: Options) {
  const tokens = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  const weights = tokens.map((token, rank) =>
    rank < topK ? Math.exp((logits[token]! - logits[tokens[0]!]!) / Math.fround(temperature)) : 0,
  );
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const all = sum(weights);
  let before = 0;
  const kept = weights.map((weight) => {
    const isKept = topP === 1 || before < Math.fround(topP);
    before += weight / all;
    return isKept ? weight : 0;
  });
  return { tokens, probabilities: kept.map((weight) => weight / sum(kept)) };
}

/** Makes batches of logits of a few units, like those of a decoder. */
function randomLogits(batch: number, vocabulary: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: batch * vocabulary }, () => 3 * random.normal());
}

async function compileDistribution(batch: number, vocabulary: number, candidates?: number) {
  const inputs = { logits: input('logits', [batch, vocabulary]), ...inputsOf() };
  const executable = await runtime.compile({ inputs, outputs: { ...distribution(inputs.logits, inputs, candidates) } });
  return (logits: Float32Array, options: Options) =>
    executable.run({ logits: float(logits, [batch, vocabulary]), ...valuesOf(options) });
}

/** Samples from the same logits with many uniform numbers. */
async function compileSample(vocabulary: number, count: number) {
  const logits = input('logits', [1, vocabulary]);
  const uniforms = input('uniforms', [count]);
  const options = inputsOf();
  const tokens = sample(broadcastTo(logits, [count, vocabulary]), options, uniforms);
  const executable = await runtime.compile({ inputs: { logits, uniforms, ...options }, outputs: { tokens } });
  return async (values: Float32Array, chosen: Options, numbers: Float32Array) => {
    const result = await executable.run({
      logits: float(values, [1, vocabulary]),
      uniforms: float(numbers, [count]),
      ...valuesOf(chosen),
    });
    return [...result.tokens!.data];
  };
}

describe('distribution', () => {
  const vocabulary = 40;
  const temperatures = [2 ** -126, 1e-3, 0.3, 1, 4, 1e30];
  const topKs = [1, 2, 7, vocabulary - 1, vocabulary];
  // No multiples of 1 / 40, because at 1e30 all tokens are equally likely, and rounding would decide.
  const topPs = [2 ** -126, 0.21, 0.51, 0.91, 0.999, 1];
  const table = temperatures.flatMap((temperature) => topKs.map((topK) => ({ temperature, topK })));

  test('is the same for any number of candidates that is at least topK', async () => {
    const [all, few] = [await compileDistribution(2, vocabulary), await compileDistribution(2, vocabulary, 7)];
    const logits = randomLogits(2, vocabulary, 8);
    for (const topK of [1, 2, 7]) {
      for (const topP of topPs) {
        const [whole, part] = [
          await all(logits, { temperature: 1, topK, topP }),
          await few(logits, { temperature: 1, topK, topP }),
        ];
        for (let i = 0; i < 2 * vocabulary; i++) {
          const [row, rank] = [Math.floor(i / vocabulary), i % vocabulary];
          if (rank >= 7) expect(whole.probabilities!.data[i]).toBe(0);
          else {
            expect(part.tokens!.data[row * 7 + rank]).toBe(whole.tokens!.data[i]);
            // The same numbers in sums of different lengths.
            expect(part.probabilities!.data[row * 7 + rank]).toBeCloseTo(whole.probabilities!.data[i]!, 6);
          }
        }
      }
    }
  });

  test.each(table)(
    'is equal to that of float64 at temperature $temperature and topK $topK, for every topP',
    async (row) => {
      const batch = 4;
      const run = await compileDistribution(batch, vocabulary);
      const logits = randomLogits(batch, vocabulary, 1);
      for (const topP of topPs) {
        const { probabilities, tokens } = await run(logits, { ...row, topP });
        for (let i = 0; i < batch; i++) {
          const start = i * vocabulary;
          const expected = reference(logits.subarray(start, start + vocabulary), { ...row, topP });
          expect([...tokens!.data.subarray(start, start + vocabulary)]).toEqual(expected.tokens);
          const errors = expected.probabilities.map((p, rank) => Math.abs(probabilities!.data[start + rank]! - p));
          // Rounding of 40 terms in float32.
          expect(Math.max(...errors)).toBeLessThan(2e-6);
        }
      }
    },
  );

  test('keeps exactly topK tokens, the first of equally likely ones', async () => {
    const run = await compileDistribution(1, 6);
    const { probabilities, tokens } = await run(Float32Array.of(1, 2, 2, 2, 0, 2), {
      temperature: 1,
      topK: 3,
      topP: 1,
    });
    expect([...tokens!.data]).toEqual([1, 2, 3, 5, 0, 4]);
    expect([...probabilities!.data]).toEqual([1, 1, 1, 0, 0, 0].map((weight) => Math.fround(weight / 3)));
  });

  test('keeps just enough of equally likely tokens to reach topP', async () => {
    const vocabulary = 20;
    const run = await compileDistribution(1, vocabulary);
    for (let topK = 1; topK <= vocabulary; topK++) {
      for (let kept = 1; kept <= topK; kept++) {
        const { probabilities } = await run(new Float32Array(vocabulary), { temperature: 1, topK, topP: kept / topK });
        expect(probabilities!.data.filter((probability) => probability > 0)).toHaveLength(kept);
      }
    }
  });

  test('keeps every token of a large vocabulary at topP 1, however unlikely', async () => {
    const vocabulary = 16384;
    const run = await compileDistribution(1, vocabulary);
    // In float32, the most likely tokens sum to 1 long before the last.
    const logits = Float32Array.from({ length: vocabulary }, (_, i) => -i / 200);
    const { probabilities } = await run(logits, { temperature: 1, topK: vocabulary, topP: 1 });
    expect(probabilities!.data.every((probability) => probability > 0)).toBe(true);
  });
});

describe('sample', () => {
  const vocabulary = 12;

  test.each([
    { temperature: 1, topK: vocabulary, topP: 1 },
    { temperature: 3, topK: vocabulary, topP: 1 },
    { temperature: 2, topK: 5, topP: 1 },
    { temperature: 2, topK: vocabulary, topP: 0.8 },
    { temperature: 4, topK: 8, topP: 0.9 },
  ])('draws tokens as often as they are likely: temperature $temperature, topK $topK, topP $topP', async (options) => {
    const count = 5000;
    const draw = await compileSample(vocabulary, count);
    const logits = randomLogits(1, vocabulary, 6);
    const random = createRandom(3);
    const uniforms = Float32Array.from({ length: count }, () => random.uniform());
    const drawn = await draw(logits, options, uniforms);
    const { tokens, probabilities } = reference(logits, options);
    const byToken = tokens.map((_, token) => probabilities[tokens.indexOf(token)]!);
    expect(drawn.every((token) => byToken[token]! > 0)).toBe(true);
    const { statistic, degrees } = chiSquare(drawn, byToken);
    expect(degrees).toBeGreaterThan(2);
    expect(statistic).toBeLessThan(criticalChiSquare(degrees));
  });

  test('samples the most likely token at 0, and never an excluded token at any uniform number', async () => {
    const vocabulary = 1000;
    const logits = randomLogits(1, vocabulary, 4);
    const draw = await compileSample(vocabulary, 3);
    const table = [2 ** -126, 0.5, 10, 1e30].flatMap((temperature) =>
      [1, 3, 300, vocabulary].flatMap((topK) =>
        [2 ** -126, 0.3333, 0.99, 1].map((topP) => ({ temperature, topK, topP })),
      ),
    );
    for (const options of table) {
      const { tokens, probabilities } = reference(logits, options);
      const [first, ...others] = await draw(logits, options, Float32Array.of(0, 0.5, lastUniform));
      expect(first).toBe(tokens[0]);
      // Probabilities below the smallest normal float32 count as excluded.
      const kept = new Set(tokens.filter((_, rank) => probabilities[rank]! > 2 ** -126));
      for (const token of others) expect(kept.has(token), JSON.stringify(options)).toBe(true);
    }
  });

  test('does not give the least likely token the probability that rounding loses in a long tail', async () => {
    const vocabulary = 16384;
    const draw = await compileSample(vocabulary, 1);
    // One token of 1 − 2⁻¹², and a tail of 2⁻²⁶ each, which float32 sums lose.
    const logits = new Float32Array(vocabulary).fill(Math.log(2 ** -26 / (1 - 2 ** -12)));
    logits[0] = 0;
    const [token] = await draw(logits, { temperature: 1, topK: vocabulary, topP: 1 }, Float32Array.of(1 - 2 ** -13));
    expect(token).not.toBe(vocabulary - 1);
  });

  test('samples the last kept token at the largest uniform number', async () => {
    const draw = await compileSample(4, 1);
    const logits = Float32Array.of(0, 0.1, 0.3, 0.2);
    const at = (options: Partial<Options>) =>
      draw(logits, { temperature: 1, topK: 4, topP: 1, ...options }, Float32Array.of(lastUniform));
    expect(await at({})).toEqual([0]);
    expect(await at({ topK: 2 })).toEqual([3]);
    expect(await at({ topP: 0.5 })).toEqual([3]);
    expect(await at({ topP: 0.6 })).toEqual([1]);
  });

  test('with topK 1 chooses the largest logit, and the first of equal ones', async () => {
    const batch = 64;
    const vocabulary = 100;
    const logits = input('logits', [batch, vocabulary]);
    const uniforms = input('uniforms', [batch]);
    const options = inputsOf();
    const tokens = sample(logits, options, uniforms);
    const executable = await runtime.compile({ inputs: { logits, uniforms, ...options }, outputs: { tokens } });
    // Rounded, so that most rows have several largest logits.
    const values = randomLogits(batch, vocabulary, 5).map((x) => Math.min(5, Math.round(x)));
    const random = createRandom(6);
    const result = await executable.run({
      logits: float(values, [batch, vocabulary]),
      uniforms: float(
        Array.from({ length: batch }, () => random.uniform()),
        [batch],
      ),
      ...valuesOf({ temperature: 1, topK: 1, topP: 1 }),
    });
    const argmax = Array.from({ length: batch }, (_, i) => {
      const row = values.subarray(i * vocabulary, (i + 1) * vocabulary);
      return row.indexOf(Math.max(...row));
    });
    expect([...result.tokens!.data]).toEqual(argmax);
  });
});

test('guide is u + scale · (c − u)', async () => {
  const inputs = { conditional: input('c', [3]), unconditional: input('u', [3]), scale: input('s', []) };
  const outputs = { guided: guide(inputs.conditional, inputs.unconditional, inputs.scale) };
  const executable = await runtime.compile({ inputs, outputs });
  const at = async (scale: number) => {
    const given = {
      conditional: float([1, 2, -3], [3]),
      unconditional: float([0.5, 4, -3], [3]),
      scale: float([scale]),
    };
    return [...(await executable.run(given)).guided!.data];
  };
  expect(await at(0)).toEqual([0.5, 4, -3]);
  expect(await at(1)).toEqual([1, 2, -3]);
  expect(await at(10)).toEqual([5.5, -16, -3]);
});

describe('sampleAll', () => {
  const vocabulary = 30;
  const count = 20_000;

  async function compile() {
    const [logits, uniforms, temperature] = [
      input('logits', [1, vocabulary]),
      input('uniforms', [count]),
      input('temperature', []),
    ];
    const tokens = sampleAll(broadcastTo(logits, [count, vocabulary]), temperature, uniforms);
    const executable = await runtime.compile({ inputs: { logits, uniforms, temperature }, outputs: { tokens } });
    return async (values: Float32Array, temperature: number, numbers: Float32Array) => {
      const result = await executable.run({
        logits: float(values, [1, vocabulary]),
        uniforms: float(numbers, [count]),
        temperature: float(Float32Array.of(temperature), []),
      });
      return [...result.tokens!.data];
    };
  }

  test('has the frequencies of the distribution', async () => {
    const [run, logits, random] = [await compile(), randomLogits(1, vocabulary, 4), createRandom(6)];
    const uniforms = Float32Array.from({ length: count }, () => random.uniform());
    for (const temperature of [0.5, 1, 3]) {
      const { tokens, probabilities } = reference(logits, { temperature, topK: vocabulary, topP: 1 });
      const byToken = Array.from({ length: vocabulary }, (_, token) => probabilities[tokens.indexOf(token)]!);
      const { statistic, degrees } = chiSquare(await run(logits, temperature, uniforms), byToken);
      expect(statistic).toBeLessThan(criticalChiSquare(degrees));
    }
  });

  test('never samples a token without probability, at any uniform number and temperature', async () => {
    const run = await compile();
    const logits = new Float32Array(vocabulary).fill(Number.NEGATIVE_INFINITY).fill(1, 10, 14);
    const uniforms = Float32Array.from({ length: count }, (_, i) => (i / (count - 1)) * lastUniform);
    for (const temperature of [2 ** -126, 1, 1e30]) {
      const tokens = await run(logits, temperature, uniforms);
      expect(new Set(tokens)).toEqual(new Set([10, 11, 12, 13]));
      expect([tokens[0], tokens.at(-1)]).toEqual([10, 13]);
    }
  });
});
