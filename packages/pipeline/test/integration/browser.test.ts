import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromPretrained } from '@dalle-mini/pipeline';
import { type BrowserPage, bundleForBrowser, describeChromium, openPage } from '@dalle-mini/testing/chromium';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Generated } from './browser-program.js';

const folder = dirname(fileURLToPath(import.meta.resolve('@dalle-mini/emoji/model/model.json')));

describeChromium('the bundled model in Chromium', () => {
  let page: BrowserPage;
  beforeAll(async () => {
    const program = await bundleForBrowser(join(import.meta.dirname, 'browser-program.ts'), ['sharp']);
    page = await openPage({ program, folders: { '/model/': folder } });
  });
  afterAll(() => page?.[Symbol.asyncDispose]());

  test('generates the tokens that it generates in Node.js', async () => {
    const prompt = 'a red apple';
    const options = { n: 2, seed: 7 };
    await using model = await fromPretrained('emoji', { threads: 1 });
    const expected = await model.generate(prompt, options);
    const generated = await page.inWorker<Generated[]>('generate', { prompt, ...options });
    expect(generated.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => [...tokens]));
    for (const [i, { pixels }] of generated.entries()) {
      const { data } = expected[i]!.image;
      expect(pixels.length).toBe(data.length);
      // A pixel of the VQ-GAN may be rounded to the next of 256 levels, since sums are in another order.
      expect(pixels.reduce((most, value, j) => Math.max(most, Math.abs(value - data[j]!)), 0)).toBeLessThanOrEqual(1);
    }
  });

  test('stops in a worker as soon as a message says so', async () => {
    const { error, rows } = await page.inWorker<{ error: string; rows: number }>('stopAfterFirstRow');
    expect(error).toBe('AbortError');
    expect(rows).toBeLessThanOrEqual(2);
  });
});
