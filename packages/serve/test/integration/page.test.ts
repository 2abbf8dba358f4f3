import { fromPretrained, type TextToImage } from '@dalle-mini/pipeline';
import { type ImageServer, serve } from '@dalle-mini/serve';
import { describeChromium, launchChromium } from '@dalle-mini/testing/chromium';
import { accessibilityProblems, ask, pictures } from '@dalle-mini/testing/demo-page';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allEvents, jsonOf, metric, post } from '../client.js';

let model: TextToImage;
let server: ImageServer;
beforeAll(async () => {
  model = await fromPretrained('emoji', { threads: 2 });
  server = await serve(model, { port: 0, trustProxy: true });
});
afterAll(async () => {
  await server?.close();
  await model?.dispose();
});

test('serves 20 clients the pictures of their seeds while others leave, and the page', async () => {
  const [expected] = await model.generate('a red apple', { seed: 3 });
  const png = Buffer.from(await expected!.toBuffer()).toString('base64');
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const leaving = new AbortController();
      const options = { client: `10.0.0.${i}`, signal: leaving.signal };
      const body = { prompt: 'a red apple', seed: 3, previews: i % 2 === 0 };
      const response = await post(server.url, '/api/generate', body, options);
      if (i % 3 === 0) {
        setTimeout(() => leaving.abort(), 10 * i);
        return allEvents(response).then(
          () => 'done',
          () => 'left',
        );
      }
      expect((await fetch(server.url)).headers.get('content-type')).toContain('text/html');
      return (await allEvents(response)).at(-1)!.data.images[0].png;
    }),
  );
  for (const [i, outcome] of outcomes.entries()) if (i % 3 !== 0) expect(outcome === png).toBe(true);
  await expect.poll(() => metric(server.url, 'dalle_mini_jobs_running'), { timeout: 30_000 }).toBe(0);
});

test('decodes the tokens of a picture to the same file, and encodes it', async () => {
  const [image] = await model.generate('a red apple', { seed: 3 });
  const { images } = await jsonOf(await post(server.url, '/api/decode', { grids: [[...image!.tokens]] }));
  expect(images[0] === Buffer.from(await image!.toBuffer()).toString('base64')).toBe(true);
  const pixels = Buffer.from(image!.image.data).toString('base64');
  const { tokens } = await jsonOf(await post(server.url, '/api/encode', { pixels }));
  expect(tokens).toEqual([...(await model.imageTokenizer.encode([image!.image]))[0]!]);
});

describeChromium('the served page', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium();
    page = await (await browser.newContext({ bypassCSP: true })).newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(server.url);
  });
  afterAll(() => browser?.close());

  test('shows the bytes of the files that are generated for the seed', async () => {
    await ask(page, 'a blue heart', 9);
    const urls = await pictures(page);
    const expected = await model.generate('a blue heart', { seed: 9, n: 9 });
    const files = await Promise.all(expected.map((image) => image.toBuffer()));
    expect(urls).toEqual(files.map((file) => `data:image/png;base64,${Buffer.from(file).toString('base64')}`));
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test('has no tab that trains, which only browsers do', async () => {
    const views = page.getByRole('navigation', { name: 'Views' }).getByRole('button');
    expect(await views.allTextContents()).toEqual(['Create', 'Tokens']);
  });

  test('tells how many requests are ahead, and cancels its own when it stops', async () => {
    const others = Array.from({ length: 3 }, (_, i) =>
      post(server.url, '/api/generate', { prompt: 'a tree', n: 4 }, { client: `10.0.1.${i}` }).then(allEvents),
    );
    await expect.poll(() => metric(server.url, 'dalle_mini_jobs_running'), { interval: 5, timeout: 30_000 }).toBe(1);
    const cancelled = (await metric(server.url, 'dalle_mini_jobs_total{outcome="cancelled"}')) ?? 0;
    await ask(page, 'a blue heart', 10);
    await page
      .getByRole('status')
      .filter({ hasText: /ahead of yours|Generating/ })
      .waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Generate' }).waitFor();
    await expect
      .poll(() => metric(server.url, 'dalle_mini_jobs_total{outcome="cancelled"}'), { timeout: 30_000 })
      .toBe(cancelled + 1);
    for (const events of await Promise.all(others)) expect(events.at(-1)!.event).toBe('done');
  });

  test('survives the end of the server', async () => {
    await server.close();
    await ask(page, 'a blue heart', 11);
    await page.getByRole('alert').getByText('The network cannot be reached').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Generate' }).waitFor();
  });
});
