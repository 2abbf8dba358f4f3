/** What tests of the demo's page do in a browser, wherever the model computes. */
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { expect } from 'vitest';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Writes a prompt and a seed, and generates. It does not wait for the pictures. */
export async function ask(page: Page, prompt: string, seed: number): Promise<void> {
  await page.getByLabel('What do you want to see?').fill(prompt);
  await page.getByLabel('Seed', { exact: true }).fill(String(seed));
  await page.getByRole('button', { name: /generate$/i }).click();
}

/** Waits for the pictures, and returns the address of each. */
export async function pictures(page: Page, n = 9): Promise<string[]> {
  const images = page.locator('button.tile img');
  await expect.poll(() => images.count(), { timeout: 120_000, interval: 50 }).toBe(n);
  return Promise.all(Array.from({ length: n }, async (_, i) => (await images.nth(i).getAttribute('src'))!));
}

/** Reads the pixels of a picture: red, green and blue bytes by rows. */
export function pixelsOf(url: string): Promise<Buffer> {
  return sharp(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'))
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** The largest difference of two images, of 255. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

/** Lists what is hard to use with a screen reader or a keyboard, by axe. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axe });
  return page.evaluate<string[]>(
    'axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html)))',
  );
}

/** How many pixels the page is wider than the window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
