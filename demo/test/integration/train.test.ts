import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeImage } from '@dalle-mini/pipeline';
import { describeChromium, launchChromium } from '@dalle-mini/testing/chromium';
import { accessibilityProblems, overflow } from '@dalle-mini/testing/demo-page';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import type { Browser, Page } from 'playwright-core';
import { type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** A picture file of one color. */
async function pictureFile(name: string, color: readonly number[]) {
  const [width, height] = [8, 8];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => color[i % 3]!);
  return {
    name,
    mimeType: 'image/png',
    buffer: Buffer.from(await encodeImage({ width, height, data }, { format: 'png' })),
  };
}

describeChromium('the tab that trains', () => {
  let server: PreviewServer;
  let browser: Browser;
  let page: Page;
  const errors: Error[] = [];
  beforeAll(async () => {
    server = await preview({ root, logLevel: 'silent', preview: { port: 0, host: '127.0.0.1' } });
    browser = await launchChromium();
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    // A busy machine takes a minute for what else takes a second.
    context.setDefaultTimeout(240_000);
    page = await context.newPage();
    page.on('pageerror', (error) => errors.push(error));
    await page.goto(server.resolvedUrls!.local[0]!);
    await openTab();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const openTab = () => button('Train').first().click();
  const shown = (text: string | RegExp) => page.getByRole('status').filter({ hasText: text }).waitFor();

  /** Drops a file on the form, as the mouse does that drags it from a folder. */
  async function drop(path: string): Promise<void> {
    const { x, y } = (await page.getByText('Choose them, or drop them here.').boundingBox())!;
    const session = await page.context().newCDPSession(page);
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      const data = { items: [], files: [path], dragOperationsMask: 1 };
      await session.send('Input.dispatchDragEvent', { type, x: x + 5, y: y + 5, data });
    }
    await session.detach();
  }

  test('takes pictures whose names are captions, chosen and dropped, and refuses other files', async () => {
    expect(await accessibilityProblems(page)).toEqual([]);
    await page
      .getByLabel('Pictures to learn from')
      .setInputFiles([
        await pictureFile('a red square.png', [255, 0, 0]),
        { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') },
        await pictureFile('a green square.png', [0, 255, 0]),
      ]);
    expect(await page.getByLabel('Caption of picture 1').inputValue()).toBe('a red square');
    expect(await page.getByRole('alert').textContent()).toContain('notes.txt: The file must be a picture');
    await button('Close').click();
    await page.getByLabel('Caption of picture 2').waitFor();
    const blue = await pictureFile('blue.png', [0, 0, 255]);
    const path = join(await temporaryFolder(), blue.name);
    await writeFile(path, blue.buffer);
    await drop(path);
    expect(await page.getByLabel('Caption of picture 3').inputValue()).toBe('blue');
    await page.getByLabel('Caption of picture 3').fill('a blue square');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await overflow(page)).toBe(0);
    await page.setViewportSize({ width: 1280, height: 860 });
  });

  test('stops, and stays alive when the worker fails', async () => {
    await page.getByLabel('Steps', { exact: true }).fill('3');
    await page.getByLabel('Steps between samples').fill('1');
    await page.getByLabel('Steps between samples').press('Enter');
    await button('Stop training').click();
    await shown('Stopped at step 0 of 3.');
    await button('Resume training').click();
    await shown('Opening the model');
    await page.workers()[0]!.evaluate('setTimeout(() => { throw new Error("no memory") })');
    await page.getByRole('alert').filter({ hasText: 'Training has ended' }).waitFor();
  });

  test('resumes after a reload from the last checkpoint', { timeout: 600_000 }, async () => {
    // A worker that has ended may keep its lock for a moment.
    await page.evaluate(() => {
      const held = new Promise((resolve) => setTimeout(resolve, 1500));
      void navigator.locks.request('training', () => held);
    });
    await button('Resume training').press('Enter');
    await page.getByAltText('Samples after step 1').waitFor();
    await page.reload();
    await openTab();
    await shown(/Stopped at step [12] of 3\./);
    await page.getByRole('img', { name: 'Curve of the loss' }).waitFor();
    await button('Resume training').click();
    await shown('The model is trained.');
    await page.getByAltText('Samples after step 3').waitFor();
    expect(await page.locator('.loss figcaption').textContent()).toMatch(/at step 1, .* at step 3$/);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test('downloads the model folder, also after a reload, and removes it when asked to', async () => {
    await page.reload();
    await openTab();
    const downloading = page.waitForEvent('download');
    await button('Download the model').click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('my-model.zip');
    const path = await download.path();
    expect((await stat(path)).size).toBeGreaterThan(20e6);
    expect((await readFile(path)).toString('latin1')).toContain('decoder/model.safetensors');
    await button('Remove it, and train anew').click();
    await page.getByLabel('Pictures to learn from').waitFor();
    await page.reload();
    await openTab();
    await page.getByLabel('Pictures to learn from').waitFor();
    expect(errors).toEqual([]);
  });
});
