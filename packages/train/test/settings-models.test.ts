import { join } from 'node:path';
import { writeJsonFile } from '@dalle-mini/core/node';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { attentiveVqgan, randomParameters } from '@dalle-mini/testing/tiny-vqgan';
import { fromFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile } from '@dalle-mini/weights/node';
import { expect, test } from 'vitest';
import { openVqgan } from '../src/settings/models.js';

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
