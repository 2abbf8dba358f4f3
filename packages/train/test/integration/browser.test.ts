import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { fromPretrained } from '@dalle-mini/pipeline';
import { type BrowserPage, bundleForBrowser, describeChromium, openPage } from '@dalle-mini/testing/chromium';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { readMetrics, trainDecoder, trainVqgan } from '@dalle-mini/train';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FromPictures, Trained } from './browser-program.js';

const run = { steps: 3, checkpointEvery: 1, evaluateEvery: 3, evaluationSize: 4 };
const config = { batchSize: 4, stepsPerRun: 1, warmUpSteps: 1 };

/** The losses of the same run in Node.js. */
async function lossesInNode(kind: 'decoder' | 'vqgan'): Promise<number[]> {
  await using runtime = new OnnxRuntime({ threads: 1 });
  const options = { ...run, folder: join(await temporaryFolder(), kind), runtime };
  if (kind === 'vqgan') {
    await trainVqgan({ ...vqganRun, ...options, config: { ...vqganRun.config, ...config, restartEvery: 0 } });
  } else {
    await trainDecoder({ ...decoderRun, ...options, config: { ...decoderRun.config, ...config } });
  }
  return (await readMetrics(join(options.folder, 'metrics.jsonl'))).map(({ loss }) => loss!);
}

describeChromium('training in Chromium', () => {
  let page: BrowserPage;
  beforeAll(async () => {
    page = await openPage({ program: await bundleForBrowser(join(import.meta.dirname, 'browser-program.ts')) });
  });
  afterAll(() => page?.[Symbol.asyncDispose]());

  describe.each(['decoder', 'vqgan'] as const)('of a %s', (kind) => {
    test('resumes after a reload of the page to the bytes of an undisturbed run', { timeout: 400_000 }, async () => {
      const undisturbed = await page.inWorker<Trained>('train', { kind, folder: `${kind}-whole` });
      expect(undisturbed.error).toBe('none');
      const stopped = await page.inWorker<Trained>('train', { kind, folder: `${kind}-parts`, stopAfter: 1 });
      expect(stopped).toMatchObject({ error: 'AbortError', losses: { length: 1 } });
      await page.reload();
      const resumed = await page.inWorker<Trained>('train', { kind, folder: `${kind}-parts` });
      expect(resumed).toEqual(undisturbed);
      expect(Object.keys(resumed.files)).toContain('checkpoint-00000003.safetensors');
    });

    test('has the losses of the same run in Node.js', async () => {
      const { losses } = await page.inWorker<Trained>('train', { kind, folder: `${kind}-whole` });
      const expected = await lossesInNode(kind);
      expect(losses.length).toBe(3);
      const difference = Math.max(...losses.map((loss, i) => Math.abs(loss / expected[i]! - 1)));
      // A row of the table of docs/browser.md.
      console.log(
        `| wasm | losses of steps of a ${kind === 'vqgan' ? 'VQ-GAN' : kind} | 3 of 3 | ${difference.toExponential(0)} |`,
      );
      // Sums are in another order.
      expect(difference).toBeLessThan(1e-4);
    });
  });

  test('refuses to resume with other settings', async () => {
    const { code, message } = await page.inWorker<{ code: string; message: string }>('resumeOtherwise', 'vqgan-whole');
    expect(code).toBe('RESUME');
    expect(message).toMatch('config.learningRate is 0.004 there and 1 here');
  });

  test('takes pictures of a person, and packs a model folder that Node.js opens', async () => {
    const result = await page.inWorker<FromPictures>('trainOnPictures');
    expect(result.firstPixel).toEqual([255, 0, 0]);
    expect(result.described).toBe(true);
    expect(result.sheet).toBeGreaterThan(100);
    expect(result.refused).toBe(
      'notes.txt must be a picture that this browser can show. Choose a JPEG, PNG or WebP file.',
    );
    const folder = await temporaryFolder();
    for (const [name, content] of Object.entries(unzipSync(Uint8Array.from(result.archive)))) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    await using model = await fromPretrained(folder, { threads: 1 });
    const [picture] = await model.generate('a red square', { seed: 1 });
    expect([...picture!.tokens]).toEqual(result.tokens);
  });
});
