import { object, readConfig } from '@dalle-mini/core';
import { decoderTrainingFields, vqganTrainingFields } from '@dalle-mini/train';
import { describe, expect, test } from 'vitest';

describe.each([
  ['a decoder', object(decoderTrainingFields), { accumulation: 2, optimizer: 'adafactor', captionDropout: 0.1 }],
  ['a VQ-GAN', object(vqganTrainingFields), { flip: false, restartEvery: 100, commitmentWeight: 0.25 }],
] as const)('the settings of training %s', (_, fields, own) => {
  const settings = { batchSize: 4, learningRate: 0.001, warmUpSteps: 0, ...own };
  const read = (more: object) => readConfig<object>(fields, { ...settings, ...more }, 'train.json');

  test('are read as they are given', () => {
    expect(read({})).toEqual(settings);
  });

  test.each([
    [{ batchSize: 0 }, 'batchSize must be a whole number'],
    [{ stepsPerRun: 1.5 }, 'stepsPerRun must be a whole number'],
    [{ learningRate: 'fast' }, 'learningRate must be a number'],
    [{ optimizer: 'sgd' }, 'optimizer'],
    [{ mirror: true }, 'mirror is not known'],
  ])('are refused by the name of the field: %j', (more, message) => {
    expect(() => read(more)).toThrow(`train.json: ${message}`);
  });
});
