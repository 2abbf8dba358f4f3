import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { FakeUploadHub } from '@dalle-mini/testing/fake-upload-hub';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { dalleMini } from './dalle-mini.js';

let hub: FakeUploadHub;
let folder: string;

beforeEach(async () => {
  hub = new FakeUploadHub();
  await hub.start();
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_TOKEN', hub.token);
  folder = await temporaryFolder();
  await mkdir(join(folder, 'run'));
  await cp(await writeTinyModel(folder), join(folder, 'run', 'model'), { recursive: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
});

const push = (...args: string[]) => dalleMini(folder, ['push', 'run/model', 'owner/name', ...args]);

/** Writes what training leaves next to the model. */
async function writeRun(): Promise<void> {
  await writeFile(join(folder, 'run', 'metrics.jsonl'), '{"step":10,"loss":2,"evaluationLoss":1.23456}\n');
  await writeFile(join(folder, 'run', 'samples-00000010.png'), 'a picture');
  const start = { event: 'start', step: 0, settings: { data: { length: 96 } }, samplePrompts: ['a <b>|cat'] };
  await writeFile(join(folder, 'run', 'run-log.jsonl'), `${JSON.stringify(start)}\n`);
}

test('a model is uploaded, with a card that has its figures, and needs no second upload', async () => {
  await writeRun();
  const first = await push('--private', '--message', 'First', '--dataset', 'owner/cats', 'owner/dogs');
  expect(first.stdout).toBe(`${hub.url}/owner/name\n`);
  expect(first.stderr).toMatch(/^(\d+) of \1 files were new or changed, in a new repository\n$/);
  expect(first.code).toBe(0);
  expect(hub.messages).toEqual(['First']);
  expect(hub.repositories.get('owner/name')!.isPrivate).toBe(true);
  const files = hub.contents('owner/name');
  expect(files['model.json']).toBe(await readFile(join(folder, 'run', 'model', 'model.json'), 'latin1'));
  expect(files['samples.png']).toBe('a picture');
  const card = Buffer.from(files['README.md']!, 'latin1').toString();
  expect(card).toMatch(/^---\n.*pipeline_tag: text-to-image\n.*datasets:\n- "owner\/cats"\n- "owner\/dogs"\n---\n/s);
  expect(card).toContain('| cross entropy of a held-out token, nats | 1.235 |');
  expect(card).toContain('“a &lt;b\\>\\|cat”');
  expect(card).toContain('Training samples: 96.\nSteps: 10.');
  expect(card).toContain("await fromPretrained('owner/name')");
  expect((await push()).stderr).toMatch(/^0 of \d+ files were new or changed\n$/);
});

test('a card of the folder or of the repository is kept', async () => {
  await writeFile(join(folder, 'run', 'model', 'README.md'), '# Mine');
  await push();
  expect(hub.contents('owner/name')['README.md']).toBe('# Mine');
});

test('--dry-run prints the files and the card, and changes nothing', async () => {
  const { stdout, code } = await push('--dry-run');
  expect(stdout).toMatch(/^send\t\d+\tREADME\.md\n/m);
  expect(stdout).toContain('\tmodel.json\n');
  expect(stdout).toContain('pipeline_tag: text-to-image');
  expect(code).toBe(0);
  expect(hub.repositories.size).toBe(0);
});

test('an upload that was killed is resumed, without sending a large file twice', async () => {
  // The hub does not answer the commit.
  hub.failOnce('commit', () => undefined);
  const killed = await dalleMini(folder, ['push', 'run/model', 'owner/name'], async (child) => {
    while (!hub.received.includes('commit')) await setTimeout(20);
    child.kill('SIGKILL');
  });
  expect(killed.code).toBe('SIGKILL');
  const sent = hub.received.filter((kind) => kind === 'put').length;
  expect(sent).toBeGreaterThan(0);
  expect((await push()).code).toBe(0);
  expect(hub.received.filter((kind) => kind === 'put')).toHaveLength(sent);
  expect(Object.keys(hub.contents('owner/name'))).toContain('decoder/model.safetensors');
});

test('Ctrl-C ends it with 130', async () => {
  hub.failOnce('put', () => undefined);
  const { code, stderr } = await dalleMini(folder, ['push', 'run/model', 'owner/name'], async (child) => {
    while (!hub.received.includes('put')) await setTimeout(20);
    child.kill('SIGINT');
  });
  expect(stderr).toBe('dalle-mini: interrupted\n');
  expect(code).toBe(130);
});

test.each([
  [['run/model', 'name'], 2, 'repo must be a name such as "owner/name", not "name".'],
  [['run', 'owner/name'], 1, 'model.json'],
  [['run/model'], 2, "missing required argument 'repository'"],
])('push %j is refused', async (args, expected, message) => {
  const { code, stderr } = await dalleMini(folder, ['push', ...args]);
  expect(stderr).toMatch(/^dalle-mini: [^\n]+\n$/);
  expect(stderr).toContain(message);
  expect(code).toBe(expected);
});

test('a token that is missing or may not write is named', async () => {
  vi.stubEnv('HF_TOKEN', 'hf_other');
  expect((await push()).stderr).toContain('Set HF_TOKEN to an access token that may write');
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_TOKEN_PATH', join(folder, 'none'));
  expect((await push()).stderr).toContain('An upload needs an access token. Set HF_TOKEN');
});
