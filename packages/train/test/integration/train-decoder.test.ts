import { join } from 'node:path';
import type { DecoderConfig } from '@dalle-mini/decoder';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { captionBert, decoderRun, grids } from '@dalle-mini/testing/tiny-training';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import type { DecoderTraining } from '@dalle-mini/train';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { recordingRuntime } from '../recording-runtime.js';
import { type Changes, decoderTrainer, grayTokenizer, meanLoss } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const train = decoderTrainer(runtime);

describe('captions', () => {
  /** Returns the number of words, including [CLS], of each training caption. */
  async function wordCounts(captionDropout?: number): Promise<number[]> {
    const recording = recordingRuntime();
    await train({ runtime: recording, steps: 200, evaluateEvery: 200, config: { captionDropout } });
    const masks = recording.runs.flatMap(({ attentionMask }) => [...attentionMask!.data]);
    return Array.from({ length: masks.length / 4 }, (_, i) =>
      masks.slice(4 * i, 4 * i + 4).reduce((sum, bit) => sum + bit, 0),
    );
  }

  test('are dropped with the given probability, a tenth by default', async () => {
    const dropped = async (share?: number) => (await wordCounts(share)).filter((count) => count === 1).length / 1600;
    expect(await dropped(0)).toBe(0);
    expect(await dropped(1)).toBe(1);
    // The standard deviation of a tenth of 1600 is 0.0075.
    expect(Math.abs((await dropped()) - 0.1)).toBeLessThan(0.03);
  });

  test('are chosen from those of a sample', async () => {
    const counts = await wordCounts(0);
    const short = counts.filter((count) => count === 3).length;
    expect(counts.filter((count) => count === 4).length).toBe(1600 - short);
    // Half of 1600. The standard deviation is 20.
    expect(Math.abs(short - 800)).toBeLessThan(100);
  });
});

test('token noise replaces up to the given share of the tokens, none by default', async () => {
  /** Returns the share of the tokens of each grid that differ from the targets. */
  const replaced = async (tokenNoise?: number) => {
    const recording = recordingRuntime();
    await train({ runtime: recording, steps: 200, evaluateEvery: 200, config: { tokenNoise } });
    return recording.runs.flatMap(({ tokens, given }) => {
      const gridLength = tokens!.shape.at(-1)!;
      return Array.from({ length: tokens!.data.length / gridLength }, (_, grid) => {
        const part = [grid * gridLength, (grid + 1) * gridLength] as const;
        const [read, expected] = [[...given!.data.slice(...part)], tokens!.data.slice(...part)];
        return read.filter((token, i) => token !== expected[i]).length / gridLength;
      });
    });
  };
  expect((await replaced()).every((share) => share === 0)).toBe(true);
  const shares = await replaced(0.5);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  // Half of the largest share. One in 16 replacements is the token itself. The standard deviation is 0.005.
  expect(Math.abs(mean - (0.25 * 15) / 16)).toBeLessThan(0.02);
  // The share is uniform from 0 to 0.5, another for each grid.
  const quiet = shares.filter((share) => share < 0.5 / 3).length / shares.length;
  expect(Math.abs(quiet - 1 / 3)).toBeLessThan(0.1);
});

describe('a text encoder', () => {
  const run = { steps: 20, evaluateEvery: 20, checkpointEvery: 20 };
  const { config, tokenizer, parameters: pretrained } = captionBert;

  test('does not change if it is frozen', async () => {
    const encoder = await loadTextEncoder(captionBert.files, { runtime, maxLength: 6 });
    const before = await encoder.encode(['a red circle']);
    const { parameters } = await train({ ...run, textEncoder: { kind: 'frozen', encoder } });
    expect(await encoder.encode(['a red circle'])).toEqual(before);
    expect([...parameters.keys()].filter((name) => name.startsWith('text_encoder'))).toEqual([]);
    await encoder.dispose();
  });

  test('changes if it is trained', async () => {
    const textEncoder = { kind: 'trained', config, tokenizer, maxLength: 6, parameters: pretrained } as const;
    const samples = { prompts: ['red circle'], imageTokenizer: grayTokenizer };
    const { folder, parameters, metrics } = await train({ ...run, textEncoder, samples });
    expect(meanLoss(metrics.slice(-5))).toBeLessThan(meanLoss(metrics.slice(0, 5)));
    const trained = (name: string) => parameters.get(`text_encoder.${name}`)!.data;
    for (const name of pretrained.keys()) {
      expect(trained(name).length).toBe(pretrained.get(name)!.data.length);
      expect(trained(name), name).not.toEqual(pretrained.get(name)!.data);
    }
    expect((await sharp(join(folder, 'samples-00000020.png')).metadata()).format).toBe('png');
  });

  test('starts from its pretrained parameters if it is trained', async () => {
    const recording = recordingRuntime();
    const textEncoder = { kind: 'trained', config, tokenizer, maxLength: 6, parameters: pretrained } as const;
    await train({ ...run, runtime: recording, textEncoder });
    for (const [name, { data }] of pretrained) expect(recording.runs[0]![`text_encoder.${name}`]!.data).toEqual(data);
  });
});

describe('refuses', () => {
  const recording = recordingRuntime();
  const { config, tokenizer } = captionBert;
  const { model } = decoderRun.config;
  const refused: [string, Changes<DecoderTraining>, RegExp][] = [
    [
      'grids of another size',
      { config: { model: { ...model, gridSize: 8 } } },
      /dataset must have 8×8 grids of 16 tokens, like the model, not 4×4 grids of 16/,
    ],
    [
      'tokens of another vocabulary',
      { config: { model: { ...model, vocabularySize: 32 } } },
      /dataset must have 4×4 grids of 32 tokens, like the model, not 4×4 grids of 16/,
    ],
    [
      'evaluation data of another vocabulary',
      { evaluation: { ...grids(4), vocabularySize: 8 } },
      /evaluation must have .*, not 4×4 grids of 8 tokens/,
    ],
    [
      'a tokenizer of another vocabulary',
      { samples: { prompts: ['a'], imageTokenizer: { ...grayTokenizer, vocabularySize: 8 } } },
      /samples.imageTokenizer must have .*, not 4×4 grids of 8 tokens/,
    ],
    [
      'text of another width',
      { config: { model: { ...(model as DecoderConfig), textWidth: 12 } } },
      /config.model.textWidth must be 8, the width of the text encoder, not 12\./,
    ],
    ['an empty evaluation', { evaluation: grids(0) }, /evaluation.length must be at least 1, not 0\./],
    [
      'samples without prompts',
      { samples: { prompts: [], imageTokenizer: grayTokenizer } },
      /samples.prompts must be a list of 1 to \d+ values, not \[\]\./,
    ],
    [
      'a dropout above 1',
      { config: { captionDropout: 10 } },
      /config.captionDropout must be a number of at least 0 and of at most 1, not 10\./,
    ],
    [
      'negative noise',
      { config: { tokenNoise: -1 } },
      /config.tokenNoise must be a number of at least 0 and of at most 1, not -1\./,
    ],
    [
      'a text encoder of an unknown kind',
      { textEncoder: { kind: 'thawed' } as never },
      /textEncoder.kind must be "frozen" or "trained", not "thawed"\./,
    ],
    [
      'captions longer than the positions of a trained text encoder',
      { textEncoder: { kind: 'trained', config, tokenizer, maxLength: 17, parameters: new Map() } },
      /textEncoder.maxLength must be at most 16, the positions of the encoder, not 17\./,
    ],
    ['an unknown option', { decay: 1 } as Changes<DecoderTraining>, /The option decay of trainDecoder is not known\./],
    [
      'a model without layers',
      { config: { model: { ...model, layers: 0 } } },
      /config.model.layers must be a whole number from 1 to 1024, not 0\./,
    ],
    [
      'an accumulation of 0',
      { config: { accumulation: 0 } },
      /config.accumulation must be a whole number of at least 1, not 0\./,
    ],
    [
      'a pretrained text encoder without its parameters',
      { textEncoder: { kind: 'trained', config, tokenizer, maxLength: 6, parameters: new Map() } },
      /text_encoder\.\S+.* missing/,
    ],
    ['parameters of another model', { parameters: new Map() }, /\S+ and \d+ more are missing/],
  ];
  test.each(refused)('%s, by name', async (_, changes, message) => {
    await expect(train({ runtime: recording, ...changes })).rejects.toThrow(message);
    expect(recording.runs).toHaveLength(0);
  });
});
