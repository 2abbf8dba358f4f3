import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDecoder, type DecoderOnlyConfig, type LlamaGenConfig } from '@dalle-mini/decoder';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { captionBert, decoderRun, grids, wordEncoder } from '@dalle-mini/testing/tiny-training';
import { ClassEncoder, TokenTextEncoder } from '@dalle-mini/text-encoder';
import { type DecoderTraining, trainDecoder } from '@dalle-mini/train';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const sizes = { vocabularySize: 16, gridSize: 4, width: 16, layers: 1, heads: 2 } as const;
const decoderOnly: DecoderOnlyConfig = {
  kind: 'decoder-only',
  ...sizes,
  width: 32,
  textVocabularySize: 40,
  textLength: 5,
  text: 'separator',
};
const llamaGen: LlamaGenConfig = {
  kind: 'llama-gen',
  ...sizes,
  feedForwardWidth: 32,
  textWidth: wordEncoder().width,
  textLength: 4,
};
const tokens = new TokenTextEncoder(captionBert.tokenizer, { maxLength: 5 });

type Changes = Omit<Partial<DecoderTraining>, 'config'> & { readonly config: Partial<DecoderTraining['config']> };

const run = async (changes: Changes) => {
  const folder = await temporaryFolder();
  const config = { ...decoderRun.config, ...changes.config } as DecoderTraining['config'];
  const parameters = await trainDecoder({ ...decoderRun, ...changes, config, folder, runtime });
  const lines = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return { parameters, metrics: lines.map((line) => JSON.parse(line) as Record<string, number>) };
};

const lossesOf = (metrics: readonly Record<string, number>[], name: string) =>
  metrics.map((line) => line[name]!).filter((loss) => loss !== undefined);

describe('trainDecoder with a decoder-only model', () => {
  test('learns image tokens and text tokens, and generates what a caption tells', async () => {
    const { parameters, metrics } = await run({
      config: { model: decoderOnly },
      steps: 150,
      textEncoder: { kind: 'frozen', encoder: tokens },
    });
    // Half of the tokens are random: ln 16 / 2 is the least.
    expect(lossesOf(metrics, 'evaluationLoss').at(-1)!).toBeLessThan(0.7 * Math.log(16));
    for (const name of ['imageLoss', 'textLoss']) {
      const losses = lossesOf(metrics, name);
      expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
    }
    // As the mean of both, with the weight 1/7.
    for (const { loss, imageLoss, textLoss } of metrics)
      if (imageLoss !== undefined) expect(loss).toBeCloseTo((7 * imageLoss + textLoss!) / 8, 4);
    const decoder = createDecoder(decoderOnly, parameters, { runtime });
    const { captions, tokens: expected } = await grids(1).get(0);
    const [grid] = await decoder.generate(await tokens.encode([captions[0]!]), { temperature: 0 });
    expect([...grid!.subarray(0, 8)]).toEqual([...expected.subarray(0, 8)]);
    await decoder.dispose();
  });

  test('leaves text tokens out with the weight 0', async () => {
    const { metrics } = await run({
      config: { model: decoderOnly, textLossWeight: 0 },
      steps: 10,
      textEncoder: { kind: 'frozen', encoder: tokens },
    });
    expect(lossesOf(metrics, 'textLoss')).toEqual([]);
  });

  test('refuses an encoder of hidden states, and one that is trained', async () => {
    await expect(run({ config: { model: decoderOnly } })).rejects.toThrow('config.model.textWidth must be 8');
    const { files, ...bert } = captionBert;
    const trained = { kind: 'trained', ...bert, maxLength: 5 } as DecoderTraining['textEncoder'];
    await expect(run({ config: { model: decoderOnly }, textEncoder: trained })).rejects.toThrow(
      'textEncoder.kind must be "frozen"',
    );
  });
});

describe('trainDecoder with a LlamaGen decoder', () => {
  test('learns from captions, some of which are dropped for its embedding of no caption', async () => {
    const { parameters, metrics } = await run({ config: { model: llamaGen, captionDropout: 0.3 } });
    const losses = lossesOf(metrics, 'evaluationLoss');
    expect(losses.at(-1)!).toBeLessThan(0.9 * Math.log(16));
    const decoder = createDecoder(llamaGen, parameters, { runtime });
    const { captions } = await grids(1).get(0);
    const grid = await decoder.generate(await wordEncoder().encode([captions[0]!]), { guidanceScale: 2, seed: 1 });
    expect(grid[0]).toHaveLength(16);
    await decoder.dispose();
  });

  test('learns from classes', async () => {
    const names = ['red', 'green', 'blue', 'white'];
    const { textWidth, textLength, ...others } = llamaGen;
    const dataset = {
      ...grids(96),
      get: async (index: number) => ({
        key: `${index}`,
        tokens: new Int32Array(16).fill(index % 4),
        captions: [names[index % 4]!],
      }),
    };
    const { metrics } = await run({
      config: { model: { ...others, classes: 4 } },
      dataset,
      evaluation: dataset,
      textEncoder: { kind: 'frozen', encoder: new ClassEncoder({ classes: 4, names }) },
    });
    expect(lossesOf(metrics, 'evaluationLoss').at(-1)!).toBeLessThan(1);
  });

  test('refuses a weight of text tokens, which it does not predict', async () => {
    await expect(run({ config: { model: llamaGen, textLossWeight: 1 } })).rejects.toThrow(
      'config.textLossWeight must be left out',
    );
  });
});
