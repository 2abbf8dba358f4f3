import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { bundle } from '@dalle-mini/testing/bundle';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describeMpi, mpirun } from '@dalle-mini/testing/mpi';
import { ending } from '@dalle-mini/testing/processes';
import { varyingRandom } from '@dalle-mini/testing/random';
import { decoderRun, shortAdversarialRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { readMetrics, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { afterAll, beforeAll, expect, test } from 'vitest';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const program = path('../../.unit/hosts-process.js');
const runtime = new OnnxRuntime({ threads: 1 });
beforeAll(() => bundle(path('hosts-process.ts'), program));
afterAll(() => runtime.dispose());

/** Runs of MPI take seconds each, of which most are waits of processes that share cores. */
const steps = 30;

const trainAlone = {
  decoder: (folder: string) => trainDecoder({ ...decoderRun, steps, runtime, folder }),
  vqgan: (folder: string) => trainVqgan({ ...vqganRun, steps, runtime, folder }),
  adversarial: (folder: string) => trainVqgan({ ...shortAdversarialRun, runtime, folder }),
};

const lossesIn = async (folder: string) => (await readMetrics(join(folder, 'metrics.jsonl'))).map(({ loss }) => loss!);

async function expectSameLosses(folder: string, kind: keyof typeof trainAlone): Promise<void> {
  const alone = await temporaryFolder();
  await trainAlone[kind](alone);
  const [actual, expected] = [await lossesIn(folder), await lossesIn(alone)];
  expect(actual.length).toBe(expected.length);
  for (const [i, loss] of actual.entries()) expect(loss - expected[i]!, `step ${i + 1}`).toBeCloseTo(0, 4);
}

describeMpi('training by mpirun', (launcher) => {
  const train = (count: number, args: readonly (string | number)[], flags: string[] = []) =>
    ending(mpirun(launcher, count, [process.execPath, program, ...args.map(String)], { flags }));

  test.each(['decoder', 'vqgan', 'adversarial'] as const)(
    'on two hosts gives the losses of one, for a %s',
    async (kind) => {
      const folder = await temporaryFolder();
      const { code, stderr } = await train(2, [
        kind,
        folder,
        kind === 'adversarial' ? shortAdversarialRun.steps : steps,
      ]);
      expect(code, stderr).toBe(0);
      await expectSameLosses(folder, kind);
    },
  );

  test('ends on all hosts when one is killed at random, and resumes on one and on three to the same losses', async () => {
    const random = varyingRandom('killed host', launcher.name);
    const [rank, runs, delay] = [random.integer(2), 3 + random.integer(2), random.integer(20)];
    const said = `rank ${rank} killed ${delay} ms after run ${runs}`;
    const folder = await temporaryFolder();
    const started = performance.now();
    const killed = await train(2, ['decoder', folder, steps, rank, runs, delay], [launcher.keepOthers]);
    const message = `rank ${1 - rank} on .*: Rank ${rank} on .* was lost: its connection`;
    // MPICH's mpirun says so itself, and then may not pass on what the other process says.
    const accepted = launcher.name === 'MPICH' ? `${message}|Killed \\(signal 9\\)` : message;
    expect(killed.stderr + killed.stdout, said).toMatch(new RegExp(accepted));
    // It waits for no time limit: those of the connection are a minute.
    expect(performance.now() - started, said).toBeLessThan(45_000);
    expect((await readdir(folder)).join(), said).toMatch(/checkpoint-/);
    for (const count of [1, 3]) {
      const resumed = await temporaryFolder();
      await cp(folder, resumed, { recursive: true });
      const { code, stderr } = await train(count, ['decoder', resumed, steps]);
      expect(code, `${said}, resumed on ${count}: ${stderr}`).toBe(0);
      await expectSameLosses(resumed, 'decoder');
    }
  });
});
