import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { bundle } from '@dalle-mini/testing/bundle';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { varyingRandom } from '@dalle-mini/testing/random';
import { adversarialRun, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';
import { afterAll, beforeAll, expect, test } from 'vitest';

// One thread, as in the killed process, because rounding differs with several threads.
const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** Returns the result of an uninterrupted run. */
const train = {
  vqgan: (folder: string) => trainVqgan({ ...vqganRun, runtime, folder }),
  adversarial: (folder: string) => trainVqgan({ ...adversarialRun, runtime, folder }),
  decoder: (folder: string) => trainDecoder({ ...decoderRun, runtime, folder }),
};

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const trainingProcess = path('../../.unit/training-process.js');
beforeAll(() => bundle(path('training-process.ts'), trainingProcess));

/**
 * Trains in a child process, which kills itself some milliseconds after some runs of the graph. Returns how it ended.
 */
async function trainInProcess(kind: string, folder: string, runs?: number, delay?: number) {
  const moment = runs === undefined ? [] : [String(runs), String(delay)];
  const child = spawn(process.execPath, [trainingProcess, kind, folder, ...moment], { stdio: 'inherit' });
  const [code, signal] = await once(child, 'close');
  return { code, signal };
}

test.each(['vqgan', 'adversarial', 'decoder'] as const)(
  'a run of %s training that was killed at random moments ends with the same bytes',
  { timeout: 300_000 },
  async (kind) => {
    const whole = await temporaryFolder();
    await train[kind](whole);
    const expected = await contentOf(whole);
    const folder = await temporaryFolder();
    // A run of the graph takes some milliseconds, and a checkpoint is written every two runs: the kill may hit any of
    // them.
    const random = varyingRandom('killed', kind);
    const moments = [
      [2 + random.integer(4), random.integer(20)],
      [1 + random.integer(3), random.integer(20)],
    ] as const;
    const said = moments.map(([runs, delay]) => `killed ${delay} ms after run ${runs}`).join(', ');
    expect((await trainInProcess(kind, folder, ...moments[0])).signal, said).toBe('SIGKILL');
    expect((await readdir(folder)).join(), said).toMatch(/checkpoint-/);
    await trainInProcess(kind, folder, ...moments[1]);
    expect((await trainInProcess(kind, folder)).code, said).toBe(0);
    expect(await contentOf(folder), said).toEqual(expected);
  },
);
