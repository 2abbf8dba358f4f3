import { OptionError } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { captionBert, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { afterAll, describe, expect, test } from 'vitest';
import { decoderTrainer, vqganTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());
const trainDecoder = decoderTrainer(runtime);
const trainVqgan = vqganTrainer(runtime);
const short = { steps: 10, checkpointEvery: 5, evaluateEvery: 10 };

describe('learning rates by layer', () => {
  test('freeze layers of a decoder and its text encoder, and a stopped run resumes', async () => {
    const { config, tokenizer, parameters } = captionBert;
    const textEncoder = { kind: 'trained', config, tokenizer, maxLength: 6, parameters } as const;
    const start = (await trainDecoder({ ...short, textEncoder })).parameters;
    const learningRates = [
      { match: ['embed_*', 'text_encoder.embeddings.*'], factor: 0 },
      { match: 'layers.0.*', factor: 0.1 },
    ];
    const run = { ...short, textEncoder, parameters: start, config: { learningRates, averageDecay: 0.9 } };
    const { folder, parameters: whole } = await trainDecoder(run);
    const changed = [...whole].filter(([name, { data }]) => data.some((x, i) => x !== start.get(name)!.data[i]));
    const isFrozen = (name: string) => /^(embed_|text_encoder\.embeddings\.)/.test(name);
    expect(changed.map(([name]) => name)).toEqual([...whole.keys()].filter((name) => !isFrozen(name)));
    // Again, from the last checkpoint, which has no state of frozen parameters.
    expect((await trainDecoder({ ...run, folder })).parameters).toEqual(whole);
    const resumed = await trainDecoder({ ...run, folder, steps: 15, evaluateEvery: 5 });
    expect(resumed.metrics).toHaveLength(15);
  });

  test('freeze the codebook of a VQ-GAN, whose codes then do not restart', async () => {
    const start = (await trainVqgan(short)).parameters;
    const config = { learningRates: [{ match: 'quantize.*', factor: 0 }], restartEvery: 5 };
    const { parameters } = await trainVqgan({ ...short, parameters: start, config });
    const name = 'quantize.embedding.weight';
    expect(parameters.get(name)).toEqual(start.get(name));
    expect(parameters.get('encoder.conv_in.weight')).not.toEqual(start.get('encoder.conv_in.weight'));
  });

  test('are refused for names that the model does not have', async () => {
    const learningRates = [{ match: ['layers.0.*', 'layers.7.*'], factor: 0.1 }];
    const training = trainDecoder({ config: { learningRates } });
    await expect(training).rejects.toThrow(OptionError);
    await expect(training).rejects.toThrow(
      /config\.learningRates\[0\]\.match must match a parameter of the model, and "layers\.7\.\*" matches none\. Their names are layers\.0\.\*, .*embed_tokens\.\*/,
    );
    // A dot is a dot, not any character.
    await expect(trainDecoder({ config: { learningRates: [{ match: 'layers?0?*', factor: 1 }] } })).rejects.toThrow(
      'matches none',
    );
  });

  test.each([
    [[{ match: '*', factor: 0 }], 'config.learningRates must leave at least one parameter to train.'],
    [[{ match: '*', factor: -1 }], 'config.learningRates[0].factor must be a number of at least 0'],
    [[{ match: [], factor: 1 }], 'config.learningRates[0].match must be a list of 1 to'],
    [[{ match: 5 as never, factor: 1 }], 'config.learningRates[0].match must be a string that is not empty'],
  ])('are refused by name: %j', async (learningRates, message) => {
    await expect(trainDecoder({ config: { learningRates } })).rejects.toThrow(message);
    await expect(
      trainVqgan({ config: { ...vqganRun.config, learningRates, batchSize: decoderRun.config.batchSize } }),
    ).rejects.toThrow(message);
  });
});
