import { join } from 'node:path';
import { fromPretrained } from '@dalle-mini/pipeline';
import { describeChromium, launchChromium } from '@dalle-mini/testing/chromium';
import { accessibilityProblems, ask, difference, overflow, pictures, pixelsOf } from '@dalle-mini/testing/demo-page';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { type PreviewServer, preview } from 'vite';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

describeChromium('the page from static files', () => {
  let server: PreviewServer;
  let browser: Browser;
  let page: Page;
  const url = () => server.resolvedUrls!.local[0]!;
  beforeAll(async () => {
    server = await preview({ root, logLevel: 'silent', preview: { port: 0, host: '127.0.0.1' } });
    browser = await launchChromium();
    page = await newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  let errors: Error[] = [];
  afterEach(() => {
    expect(errors).toEqual([]);
  });

  async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    // A busy machine takes a minute for what else takes a second.
    context.setDefaultTimeout(120_000);
    const opened = await context.newPage();
    errors = [];
    opened.on('pageerror', (error) => errors.push(error));
    await opened.goto(url());
    return opened;
  }

  test('tells on the first visit what is downloaded, and downloads no model before it is asked to', async () => {
    const text = await page.locator('.first-use').textContent();
    expect(text).toMatch(/\b60 MB/);
    expect(text).toMatch(/seconds at 10\sMbit\/s/);
    const loaded = await page.evaluate<string[]>('performance.getEntriesByType("resource").map(({ name }) => name)');
    expect(loaded.filter((name) => /safetensors|wasm/.test(name))).toEqual([]);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test('generates the pictures that Node.js generates', async () => {
    await ask(page, 'a red apple', 7);
    const urls = await pictures(page);
    await using model = await fromPretrained('emoji', { threads: 1 });
    const expected = await model.generate('a red apple', { seed: 7, n: 9 });
    // A pixel may be rounded to the next of 256 levels, since sums are in another order.
    for (const [i, { image }] of expected.entries())
      expect(difference(await pixelsOf(urls[i]!), image.data)).toBeLessThanOrEqual(1);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test('stops at once, and generates again', async () => {
    await ask(page, 'a green frog', 1);
    await page.locator('.tile.waiting').first().waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Generate' }).waitFor();
    expect(await page.locator('button.tile').count()).toBe(0);
    await ask(page, 'a green frog', 2);
    await pictures(page);
    await ask(page, 'a green frog', 3);
    await page.locator('.tile.waiting').first().waitFor();
    await page.keyboard.press('Escape');
    expect(await page.getByRole('button', { name: 'Stop' }).count()).toBe(0);
  });

  test('shows rows while they are generated', async () => {
    await ask(page, 'a blue heart', 4);
    await page.locator('.tile.waiting img').first().waitFor();
    await pictures(page);
  });

  test('makes links that show the same picture', async () => {
    await ask(page, 'a yellow flower', 12);
    const urls = await pictures(page);
    await page.getByRole('button', { name: 'Open picture 5' }).click();
    await page.getByRole('button', { name: 'Copy link' }).click();
    const link = await page.getByLabel('Link', { exact: true }).inputValue();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Close' }).click();
    const visitor = await page.context().newPage();
    await visitor.goto(link);
    expect(await pictures(visitor)).toEqual(urls);
    expect(await visitor.locator('dialog img').getAttribute('src')).toBe(urls[4]);
    await visitor.close();
  });

  test('survives a link whose numbers are out of their range', async () => {
    const visitor = await page.context().newPage();
    await visitor.goto(`${url()}#prompt=a+tree&top-k=-3`);
    await expect.poll(() => visitor.getByRole('alert').textContent(), { timeout: 60_000 }).toContain('topK must be');
    await visitor.getByText('Settings').click();
    await visitor.getByLabel('Top-k').fill('20');
    await ask(visitor, 'a tree', 1);
    await pictures(visitor);
    expect(await visitor.getByRole('alert').count()).toBe(0);
    await visitor.close();
  });

  test('starts the model again when its worker has failed', async () => {
    await ask(page, 'a tree', 5);
    await page.locator('.tile.waiting').first().waitFor();
    await page.workers()[0]!.evaluate('setTimeout(() => { throw new Error("no memory") })');
    await page.getByRole('alert').filter({ hasText: 'The model has ended' }).waitFor();
    await ask(page, 'a tree', 5);
    await pictures(page);
  });

  test('changes the picture when a token is replaced by the keyboard', async () => {
    await ask(page, 'a red apple', 7);
    await pictures(page);
    await page.getByRole('button', { name: 'Open picture 1' }).click();
    await page.getByRole('button', { name: 'Look at its tokens' }).click();
    const image = page.getByAltText('What these tokens show');
    const before = await image.getAttribute('src');
    await page.getByRole('button', { name: /^Row 1, column 1:/ }).focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowLeft', 'ArrowRight'])
      await page.keyboard.press(key);
    const code = page.getByLabel('Code of the token in row 3, column 2');
    await code.fill(String((await code.inputValue()) === '5' ? 6 : 5));
    await expect.poll(() => image.getAttribute('src'), { timeout: 30_000 }).not.toBe(before);
    await page.locator('.palette button').first().waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Undo all' }).click();
    await expect.poll(() => image.getAttribute('src'), { timeout: 30_000 }).toBe(before);
    await page.getByRole('button', { name: 'Create' }).click();
  });

  test('reads the tokens of a picture of your own', async () => {
    await page.getByRole('button', { name: 'Tokens', exact: true }).click();
    await page.getByLabel('Your own picture').setInputFiles(join(root, '../packages/emoji/samples.webp'));
    await page.getByAltText('What these tokens show').waitFor();
    await page.getByLabel('Your own picture').setInputFiles(join(root, 'package.json'));
    await expect.poll(() => page.getByRole('alert').textContent(), { timeout: 30_000 }).toContain('must be a picture');
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Create' }).click();
  });

  test('remembers requests, and generates them again', async () => {
    await ask(page, 'a house', 8);
    const urls = await pictures(page);
    await page.reload();
    await page.locator('.history button', { hasText: 'a house' }).click();
    expect(await pictures(page)).toEqual(urls);
  });

  test('fits a phone, and has dark colours', async () => {
    const phone = await newPage({ viewport: { width: 320, height: 640 }, hasTouch: true, colorScheme: 'dark' });
    expect(await overflow(phone)).toBe(0);
    expect(await accessibilityProblems(phone)).toEqual([]);
    await phone.getByText('Settings').click();
    expect(await overflow(phone)).toBe(0);
    const background = 'getComputedStyle(document.body).backgroundColor';
    expect(await phone.evaluate(background)).toBe('rgb(21, 20, 26)');
    await phone.getByRole('button', { name: 'Change to light colours' }).click();
    await expect.poll(() => phone.evaluate(background), { timeout: 30_000 }).toBe('rgb(251, 250, 248)');
    await phone.context().close();
  });

  test('works without a network after the first visit', async () => {
    await ask(page, 'a red apple', 7);
    const urls = await pictures(page);
    await server.close();
    await page.reload();
    await ask(page, 'a red apple', 7);
    expect(await pictures(page)).toEqual(urls);
  });
});
