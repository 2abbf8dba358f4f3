import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JsonSchema, withOverrides } from '@dalle-mini/core';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import {
  type Preset,
  presetSettings,
  presets,
  readDecoderSettings,
  readVqganSettings,
  settingsSchema,
  settingsSchemaFile,
} from '@dalle-mini/train/settings';
import { describe, expect, test } from 'vitest';

const kinds = ['vqgan', 'decoder'] as const;
const properties = (schema: JsonSchema) => (schema.properties ?? {}) as Readonly<Record<string, JsonSchema>>;

describe.each(kinds)('the JSON Schema of %s settings', (kind) => {
  test('is the file in the package, which vitest --update writes', async () => {
    const text = `${JSON.stringify(settingsSchema(kind), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot(settingsSchemaFile(kind));
  });

  test('describes every setting, except the sizes of models and the sampling options', () => {
    const { model, sampling, dataset, evaluation, ...others } = properties(settingsSchema(kind));
    const undescribed = Object.entries(others).flatMap(([name, schema]) => [
      ...(schema.description ? [] : [name]),
      ...Object.entries(properties(schema)).flatMap(([inner, { description }]) =>
        description ? [] : [`${name}.${inner}`],
      ),
    ]);
    expect(undescribed).toEqual([]);
    for (const { description } of [model!, dataset!, evaluation!]) expect(description).toBeTruthy();
  });
});

test('the schema has the range, the default and the choices of a setting', () => {
  const { steps, seed, result, training, dataset } = properties(settingsSchema('decoder'));
  expect(steps).toMatchObject({ type: 'integer', minimum: 1 });
  expect(seed).toMatchObject({ default: 0 });
  expect(result).toMatchObject({ enum: ['best', 'last'] });
  expect(training).toMatchObject({
    required: ['batchSize', 'learningRate', 'warmUpSteps'],
    additionalProperties: false,
  });
  expect(properties(training!).learningRate).toMatchObject({ type: 'number', exclusiveMinimum: 0 });
  expect((dataset!.oneOf as JsonSchema[]).map((one) => properties(one).type)).toEqual(
    ['folder', 'webdataset', 'emoji', 'tokens'].map((type) => ({ enum: [type] })),
  );
});

describe('the settings of a preset', () => {
  const cases = Object.keys(presets).flatMap((preset) =>
    [1, 2, 20, 300, 1e6].map((count) => [preset as Preset, count] as const),
  );
  test.each(cases)('%s are valid for %d pictures', async (preset, count) => {
    const { kind, settings } = presetSettings(preset, { pictures: 'pictures', count });
    const file = join(await temporaryFolder(), 'settings.json');
    await writeFile(file, JSON.stringify({ $schema: 'x', ...settings }));
    const read = await (kind === 'vqgan' ? readVqganSettings(file) : readDecoderSettings(file));
    const { stepsPerRun = 10, warmUpSteps } = read.training;
    for (const steps of [read.steps, read.evaluateEvery!, read.checkpointEvery!]) expect(steps % stepsPerRun).toBe(0);
    expect(warmUpSteps).toBeLessThan(read.steps);
    expect(read.evaluateEvery).toBeLessThan(read.steps);
  });

  test('have the warm-up and the evaluations of a number of steps of choice', () => {
    expect(presetSettings('emoji', { pictures: 'pictures', count: 300, steps: 20 }).settings).toMatchObject({
      steps: 20,
      evaluateEvery: 10,
      checkpointEvery: 10,
      training: { warmUpSteps: 1 },
    });
  });

  test('fine-tune the bundled model to the last step, its VQ-GAN first, with samples of given captions', () => {
    const made = (count: number) => presetSettings('emoji', { pictures: 'pictures', count, captions: ['a cat'] });
    expect(made(305).settings).toMatchObject({
      steps: 540,
      result: 'last',
      samplePrompts: ['a cat'],
      vqgan: { steps: 130 },
      dataset: { crop: 'auto' },
    });
    expect(made(20).settings).toMatchObject({ steps: 100, vqgan: { steps: 100 } });
    expect(made(1e6).settings).toMatchObject({ steps: 5000, vqgan: { steps: 1000 } });
  });

  test('have a model of choice and a trained text encoder on request', () => {
    const options = { pictures: 'pictures', model: 'someone/model', trainTextEncoder: true };
    expect(presetSettings('dalle-mini', options).settings).toMatchObject({
      startFrom: 'someone/model',
      textEncoder: { train: true },
    });
  });
});

describe('overrides', () => {
  test('replace values and add them, without changing the settings', () => {
    const settings = { steps: 10, training: { batchSize: 4, learningRate: 1 } };
    expect(withOverrides(settings, { 'training.learningRate': 2, 'a.b.c': [1] })).toEqual({
      steps: 10,
      training: { batchSize: 4, learningRate: 2 },
      a: { b: { c: [1] } },
    });
    expect(settings.training.learningRate).toBe(1);
    expect(Object.keys(withOverrides({}, { '__proto__.steps': 1 }))).toEqual(['__proto__']);
    expect(({} as { steps?: number }).steps).toBeUndefined();
  });

  test('are checked like the settings of the file', async () => {
    const file = join(await temporaryFolder(), 'settings.json');
    const { settings } = presetSettings('emoji', { pictures: 'pictures' });
    await writeFile(file, JSON.stringify(settings));
    const read = (overrides: Record<string, unknown>) => readDecoderSettings(file, { overrides });
    expect((await read({ 'training.learningRate': 1e-4 })).training.learningRate).toBe(1e-4);
    await expect(read({ 'training.learningRat': 1 })).rejects.toThrow(
      'training.learningRat is not known. Did you mean learningRate?',
    );
    await expect(read({ steps: 'many' })).rejects.toThrow('steps must be a whole number of at least 1, not "many".');
    await expect(read({ '__proto__.x': 1 })).rejects.toThrow('__proto__ is not known.');
  });
});

test('datasets of tokens may have addresses, and folders start from that of the file', async () => {
  const folder = await temporaryFolder();
  const settings = {
    folder: 'run',
    startFrom: 'model',
    steps: 1,
    dataset: { type: 'tokens', path: 's3://bucket/tokens' },
    evaluation: { type: 'tokens', path: 'evaluation-tokens' },
    training: { batchSize: 1, learningRate: 0.1, warmUpSteps: 0 },
  };
  await writeFile(join(folder, 'decoder.json'), JSON.stringify(settings));
  const { dataset, evaluation } = await readDecoderSettings(join(folder, 'decoder.json'));
  expect([dataset, evaluation]).toMatchObject([
    { path: 's3://bucket/tokens' },
    { path: join(folder, 'evaluation-tokens') },
  ]);
});
