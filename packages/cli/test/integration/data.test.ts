import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { openTokenShards } from '@dalle-mini/data';
import { writeVqgan } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { randomParameters, tinyVqgan } from '@dalle-mini/testing/tiny-vqgan';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { dalleMini } from './dalle-mini.js';

let server: Server;
let folder: string;
const jpeg = await sharp({ create: { width: 90, height: 60, channels: 3, background: 'red' } })
  .jpeg()
  .toBuffer();
let isUp = false;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/later' && !isUp) response.writeHead(503).end();
    else response.end(jpeg);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  folder = await temporaryFolder();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeFile(join(folder, 'list.tsv'), `${address}/a\ta red wall\n${address}/later\tlate\nnowhere\tbad\n`);
  const download = { allowedAddresses: ['127.0.0.1/32'], retries: 0 };
  await writeFile(
    join(folder, 'data.json'),
    JSON.stringify({ preset: 'cc12m', lists: 'list.tsv', out: 'shards', download }),
  );
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
});

test('prepares a data set, and tries failures again', async () => {
  const first = await dalleMini(folder, ['data', 'prepare', 'data.json', '--set', 'pictures.size=32']);
  expect(first).toMatchObject({ code: 0, stdout: `${join(folder, 'shards')}\n` });
  expect(first.stderr).toContain('1 images of 2 rows, in 1 of 1 shards.');
  expect(first.stderr).toContain('1 http-503');
  expect(first.stderr).toContain('1 rows of the lists: url, such as');
  expect(await readdir(join(folder, 'shards'))).toContain('00000.tar');
  isUp = true;
  const again = await dalleMini(folder, [
    'data',
    'prepare',
    'data.json',
    '--set',
    'pictures.size=32',
    '--retry-failed',
  ]);
  expect(again.stderr).toContain('2 images of 2 rows');
  expect(await readFile(join(folder, 'shards', 'report.html'), 'utf8')).toContain('2 (100.0 %)');
});

/** Makes the folder of a tiny CLIP. */
async function copyClip(clip: string): Promise<void> {
  await mkdir(clip);
  const fixtures = new URL('../../../clip/test/fixtures/', import.meta.url);
  const files = ['patch-16/config.json', 'patch-16/model.safetensors', 'tokenizer/vocab.json', 'tokenizer/merges.txt'];
  for (const path of files) await cp(new URL(path, fixtures), join(clip, basename(path)));
}

/** Encodes the shards into a folder. */
const encode = (out: string, options: readonly string[] = []) =>
  dalleMini(folder, ['data', 'encode', 'shards', '--image-tokenizer', 'vqgan', '--out', out, ...options]);

test('encodes the shards to tokens with a VQ-GAN', async () => {
  await writeVqgan(join(folder, 'vqgan'), { config: tinyVqgan, parameters: randomParameters(tinyVqgan, 1) });
  const encoded = await encode('tokens');
  expect(encoded).toMatchObject({ code: 0, stdout: 'tokens\n' });
  const tokens = await openTokenShards(join(folder, 'tokens'));
  expect(tokens.length).toBe(2);
  expect(await tokens.get(0)).toMatchObject({ key: '00000/000000000', captions: ['a red wall'] });
});

test('stores hidden states of the captions, also beside tokens that are there', async () => {
  await writeTinyModel(folder);
  const { stdout, code } = await encode('tokens', ['--text-encoder', 'tiny', '--max-length', '8']);
  expect({ stdout, code }).toEqual({ stdout: 'tokens\n', code: 0 });
  const { hiddenStates } = await openTokenShards(join(folder, 'tokens'));
  expect(hiddenStates!.encoder).toMatchObject({ name: 'tiny', maxLength: 8 });
  expect((await hiddenStates!.get(0, 'a red wall')).attentionMask.length).toBeGreaterThan(2);
  const again = await encode('tokens', ['--text-encoder', 'tiny', '--max-length', '9']);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('00000 has hidden states of tiny') });
  for (const [options, message] of [
    [['--work'], '--work needs --queue'],
    [['--queue', 'redis://127.0.0.1:1', '--share', '0/2'], '--share does not work with --queue'],
  ] as const)
    expect(await encode('refused', options)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});

test('scores the images by a CLIP, and leaves out those with low scores', async () => {
  await copyClip(join(folder, 'clip'));
  expect(await encode('scored', ['--rank', 'clip'])).toMatchObject({ code: 0, stdout: 'scored\n' });
  const tokens = await openTokenShards(join(folder, 'scored'));
  const scores = await Promise.all([0, 1].map(async (i) => (await tokens.get(i)).score!));
  const minScore = Math.max(...scores);
  expect(Math.min(...scores)).toBeLessThan(minScore);
  const { stderr } = await encode('best', ['--rank', 'clip', '--min-score', String(minScore)]);
  expect(stderr).toContain(`1 of 2 images have a score of at least ${minScore}.`);
  const best = await openTokenShards(join(folder, 'best'));
  expect(best.length).toBe(1);
  expect(await best.get(0)).toEqual(await tokens.get(scores.indexOf(minScore)));
  const refused = await encode('refused', ['--min-score', '20']);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--min-score needs --rank') });
});

describeXla('data encode on XLA', () => {
  test('writes the tokens of ONNX Runtime', async () => {
    vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', cpuPlugin);
    expect(await encode('xla-tokens', ['--device', 'xla-cpu'])).toMatchObject({ code: 0, stdout: 'xla-tokens\n' });
    const [onnx, xla] = await Promise.all(['tokens', 'xla-tokens'].map((name) => openTokenShards(join(folder, name))));
    expect(await xla!.get(1)).toEqual(await onnx!.get(1));
  });
});

test('encodes on no device that there is not', async () => {
  vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', join(folder, 'absent.so'));
  const { code, stdout, stderr } = await encode('no-tokens', ['--device', 'xla-cpu']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^dalle-mini: .*absent\.so/);
  expect(await readdir(folder)).not.toContain('no-tokens');
});

test('refuses wrong settings, and a wrong share', async () => {
  const wrong = await dalleMini(folder, ['data', 'prepare', 'data.json', '--set', 'pictures.size=huge']);
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toContain('pictures.size must be a whole number');
  const share = await dalleMini(folder, ['data', 'prepare', 'data.json', '--share', '4/4']);
  expect(share.code).toBe(2);
  expect(share.stderr).toContain('such as 0/4');
});
