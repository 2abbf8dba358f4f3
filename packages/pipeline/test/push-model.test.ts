import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { ModelFolderError, type PushModelOptions, pushModel } from '@dalle-mini/pipeline';
import { FakeUploadHub } from '@dalle-mini/testing/fake-upload-hub';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

let tiny: string;
let hub: FakeUploadHub;
let folder: string;

beforeAll(async () => {
  tiny = await writeTinyModel(await temporaryFolder());
});
beforeEach(async () => {
  hub = new FakeUploadHub();
  await hub.start();
  folder = join(await temporaryFolder(), 'model');
  await cp(tiny, folder, { recursive: true });
});
afterEach(() => hub.stop());

const push = (options: PushModelOptions = {}) =>
  pushModel(folder, 'owner/name', { endpoint: hub.url, token: hub.token, ...options });
const card = () => Buffer.from(hub.contents('owner/name')['README.md']!, 'latin1').toString();

/** Changes fields of `model.json`. */
async function describe(fields: object): Promise<void> {
  const path = join(folder, 'model.json');
  const { default: description } = await import(path, { with: { type: 'json' } });
  await writeFile(path, JSON.stringify({ ...description, ...fields }));
}

test.each([
  ['Apache-2.0', 'license: apache-2.0\n'],
  ['Apache-2.0 AND MIT', 'license: other\nlicense_name: "Apache-2.0 AND MIT"\n'],
])('the license %s has the identifier of the hub', async (license, expected) => {
  await describe({ license });
  await push();
  expect(card()).toContain(`---\n${expected}library_name: dalle-mini\npipeline_tag: text-to-image\n`);
});

test('a card has nothing that the model or the training does not tell', async () => {
  await describe({ license: undefined, sampling: {} });
  const { card: made } = await push();
  expect(made).toBe(card());
  expect(card()).not.toMatch(/license|undefined|## (Training|Evaluation|Sampling|License)|samples\.png/);
});

test('names and prompts cannot end the metadata or add HTML', async () => {
  await describe({ name: 'a\n---\n<script>alert(1)</script>', license: 'x"\n---\ny' });
  const prompts = ['<img src=x onerror=alert(1)>', '[a](javascript:b)'];
  await push({ training: { sheet: { png: Buffer.from('png'), prompts }, datasets: ['owner/x"\ny'] } });
  expect(card().match(/^---$/gm)).toHaveLength(2);
  expect(card()).not.toMatch(/<script|<img|[^\\]\]\(javascript/);
  expect(hub.contents('owner/name')['samples.png']).toBe('png');
});

test('a card that the repository has is replaced only when asked to', async () => {
  await push({ training: { steps: 1 } });
  await push({ training: { steps: 2 } });
  expect(card()).toContain('Steps: 1.');
  await push({ training: { steps: 3 }, replaceCard: true });
  expect(card()).toContain('Steps: 3.');
});

test('a card of the folder is used as it is', async () => {
  await writeFile(join(folder, 'README.md'), '# Mine');
  expect((await push({ training: { steps: 2 } })).card).toBeUndefined();
  expect(card()).toBe('# Mine');
});

test('what is not a model folder, and wrong options, are refused before anything is sent', async () => {
  await expect(pushModel(join(folder, 'vqgan'), 'owner/name')).rejects.toThrow(ModelFolderError);
  await expect(push({ training: { step: 1 } } as never)).rejects.toThrow(OptionError);
  await expect(push({ privat: true } as never)).rejects.toThrow('Did you mean private?');
  expect(hub.received).toEqual([]);
});
