import { join } from 'node:path';
import { writeJsonFile } from '@dalle-mini/core/node';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { fromPretrained } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { attentiveVqgan, randomParameters } from '@dalle-mini/testing/tiny-vqgan';
import { fromFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile } from '@dalle-mini/weights/node';
import { expect, test } from 'vitest';
import { openDecoderModels, openVqgan } from '../src/settings/models.js';
import type { DecoderSettings } from '../src/settings/settings.js';

test('which: ema in settings starts from the average of the file', async () => {
  const folder = await temporaryFolder();
  const [model, average] = [randomParameters(attentiveVqgan, 1), randomParameters(attentiveVqgan, 2)];
  const stored = (values: typeof model, prefix: string) =>
    [...values].map(
      ([name, { data, shape }]) => [`${prefix}${name}`, fromFloat32(data as Float32Array, shape)] as const,
    );
  await writeJsonFile(join(folder, 'config.json'), attentiveVqgan);
  const path = join(folder, 'model.safetensors');
  await writeCheckpointFile(path, new Map([...stored(model, ''), ...stored(average, 'ema.')]));
  expect((await openVqgan(folder, { which: 'ema' })).parameters).toEqual(average);
  expect((await openVqgan(folder, {})).parameters).toEqual(model);

  await writeCheckpointFile(path, new Map(stored(model, '')));
  await expect(openVqgan(folder, { which: 'ema' })).rejects.toThrow('has no average of the weights (EMA)');
});

test('captions in training are read as prompts of the trained model are: emoji by their names', async () => {
  const startFrom = await writeTinyModel(await temporaryFolder());
  const settings = { startFrom, dataset: { type: 'folder', path: '.' }, steps: 1, seed: 0, training: {} } as const;
  const { textEncoder } = await openDecoderModels(settings as unknown as DecoderSettings, {});
  const runtime = new OnnxRuntime({ threads: 1 });
  const frozen = await textEncoder.frozen(runtime);
  const model = await fromPretrained(startFrom, { runtime, prepare: 0 });
  const captions = ['a 🍎', '🍎🍎', 'a red apple'];
  const [inTraining, inGeneration] = await Promise.all([frozen.encode(captions), model.textEncoder.encode(captions)]);
  expect(inTraining).toEqual(inGeneration);

  const trained = await textEncoder.trained();
  const ids = (caption: string) => trained.tokenizer.encode([caption], trained.maxLength).ids;
  expect(ids('a 🍎')).toEqual(ids('a red apple'));
  await model.dispose();
  await runtime.dispose();
});
