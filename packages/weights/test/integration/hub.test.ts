import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Answer, FakeHub, stall, trickle } from '@dalle-mini/testing/fake-hub';
import { ending, startModule } from '@dalle-mini/testing/processes';
import { randomBytes } from '@dalle-mini/testing/random';
import { downloadModel } from '@dalle-mini/weights/hub';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

let hub: FakeHub;
let home: string;
const weights = randomBytes(300_000);

/** Within the cache's folder of the model. */
const at = (...path: string[]) => join(home, 'hub', 'models--org--name', ...path);

/** What a process runs that downloads the weights. */
const program = `
  import { downloadModel } from '@dalle-mini/weights/hub';
  await downloadModel('org/name', { files: ['model.safetensors'] });
`;

const download = () => downloadModel('org/name', { files: ['model.safetensors'] });

/** Another process that downloads the weights. */
const otherProcess = () => startModule(program, import.meta.dirname);

/** Expects the cache to hold the weights, their link and the name of the revision, and nothing else. */
async function expectWhole(): Promise<void> {
  const content = await readFile(at('snapshots', hub.commit, 'model.safetensors'));
  // Not with toEqual, which takes a second for these sizes.
  expect(content.equals(weights)).toBe(true);
  const held = await readdir(join(home, 'hub'), { recursive: true, withFileTypes: true });
  expect(held.filter((entry) => !entry.isDirectory())).toHaveLength(3);
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hub-'));
  hub = new FakeHub();
  await hub.start();
  hub.add('model.safetensors', weights, true);
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME', 'HF_TOKEN', 'HF_TOKEN_PATH']) {
    vi.stubEnv(name, undefined);
  }
  for (const name of ['HUGGING_FACE_HUB_TOKEN', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_HUB_DOWNLOAD_TIMEOUT']) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_ENDPOINT', hub.url);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
  await rm(home, { recursive: true });
});

test('a download goes on after its process was killed', async () => {
  hub.contents.push(stall(100_000));
  const killed = otherProcess();
  const sizeOfPartial = async () => {
    const name = (await readdir(at('blobs'))).find((name) => name.endsWith('.incomplete'))!;
    return (await stat(at('blobs', name))).size;
  };
  await vi.waitFor(async () => expect(await sizeOfPartial()).toBe(100_000), 20_000);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  await download();
  expect(hub.ranges).toEqual([undefined, 'bytes=100000-']);
  await expectWhole();
});

test('downloads of two processes at once do not meet', async () => {
  for (let index = 0; index < 2; index++) {
    hub.contents.push((response, content) => {
      response.write(content.subarray(0, 100_000));
      setTimeout(() => response.end(content.subarray(100_000)), 500);
    });
  }
  const ends = await Promise.all([otherProcess(), otherProcess()].map(ending));
  for (const end of ends) expect(end).toEqual({ code: 0, stdout: '', stderr: '' });
  await expectWhole();
});

test.each([
  ['file', () => hub.contents],
  ['listing', () => hub.api],
])('a %s that trickles is given up after another attempt', async (_, answers) => {
  vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3');
  for (let attempt = 0; attempt < 6; attempt++) answers().push(trickle(1, 50));
  await expect(download()).rejects.toThrow(
    /sent only \d+ bytes in 1 s\. Check the network, or raise HF_HUB_DOWNLOAD_TIMEOUT/,
  );
  expect(answers()).toHaveLength(4);
});

test('a listing that is not complete in time is given up, though it is fast enough for a file', async () => {
  vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.1');
  const slow: Answer = (response, _, request) => trickle(1000, 50)(response, weights, request);
  for (let attempt = 0; attempt < 6; attempt++) hub.api.push(slow);
  await expect(download()).rejects.toThrow(/took more than 0.6\d* s for an answer/);
  expect(hub.api).toHaveLength(4);
  hub.api.length = 0;
  hub.contents.push(trickle(5000, 50));
  await download();
  await expectWhole();
});
