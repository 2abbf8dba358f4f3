import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeVqgan } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { runModule, startModule } from '@dalle-mini/testing/processes';
import { merges, publishedConfig, publishedTensors, randomVqgan, vocab } from '@dalle-mini/testing/published-model';
import { writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { beforeEach, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  await writeVqgan(join(folder, 'vqgan'), randomVqgan());
  await mkdir(join(folder, 'model'));
  await writeFlaxCheckpointFile(join(folder, 'model', 'flax_model.msgpack'), publishedTensors());
  await writeFile(join(folder, 'model', 'config.json'), JSON.stringify(publishedConfig));
  await writeFile(join(folder, 'model', 'vocab.json'), JSON.stringify(vocab));
  await writeFile(join(folder, 'model', 'merges.txt'), merges);
});

const program = `
  import { fromPretrained } from '@dalle-mini/pipeline';
  const [folder, stage] = process.argv.slice(1);
  const model = await fromPretrained(folder + '/model', {
    threads: 1,
    vqgan: folder + '/vqgan',
    onProgress: async ({ done }) => {
      if (stage !== String(done)) return;
      process.stdout.write('reached');
      // Until it is killed.
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    },
  });
  const [picture] = await model.generate('hdvo', { seed: 1 });
  console.log(picture.tokens.join());
  await model.dispose();
`;
const load = () => runModule(program, import.meta.dirname, [folder]);
const converted = () => readdir(join(folder, 'model', 'converted'));

test('several processes that convert a published model at once all open it, and one folder is left', async () => {
  const ends = await Promise.all(Array.from({ length: 4 }, load));
  expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(4).fill({ code: 0, stderr: '' }));
  expect(new Set(ends.map(({ stdout }) => stdout)).size).toBe(1);
  expect(await converted()).toHaveLength(1);
});

test('nothing is left of a conversion that was killed once the model has been opened again', async () => {
  const child = startModule(program, import.meta.dirname, [folder, '2']);
  await new Promise((resolve) => child.stdout!.once('data', resolve));
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
  const leftovers = await converted();
  expect(leftovers).toHaveLength(1);
  expect((await load()).code).toBe(0);
  const [whole, ...others] = await converted();
  expect(others).toEqual([]);
  expect(whole).not.toBe(leftovers[0]);
  const description = await readFile(join(folder, 'model', 'converted', whole!, 'model.json'), 'utf8');
  expect(JSON.parse(description)).toMatchObject({ format: 'dalle-mini-model' });
});
