import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '@dalle-mini/data';
import { fromPretrained, type RgbImage, readModelFolder } from '@dalle-mini/pipeline';
import { type BrowserPage, bundleForBrowser, describeChromium, openPage } from '@dalle-mini/testing/chromium';
import { type Answer, cut, FakeHub, send, whole } from '@dalle-mini/testing/fake-hub';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Generated, Given, InWorker } from './browser-program.js';

const folder = dirname(fileURLToPath(import.meta.resolve('@dalle-mini/emoji/model/model.json')));

describeChromium('models in Chromium', () => {
  let page: BrowserPage;
  let hub: FakeHub;
  let expected: { readonly tokens: number[]; readonly pixels: RgbImage['data'] }[];

  beforeAll(async () => {
    const program = await bundleForBrowser(join(import.meta.dirname, 'browser-program.ts'));
    page = await openPage({ program, folders: { '/model/': folder } });
    await using model = await fromPretrained('emoji', { threads: 1 });
    const images = await model.generate('a red apple', { n: 2, seed: 7 });
    expected = images.map(({ tokens, image }) => ({ tokens: [...tokens], pixels: image.data }));
  });
  afterAll(() => page?.[Symbol.asyncDispose]());

  beforeEach(async () => {
    await page.onPage('forget');
    hub = new FakeHub();
    for (const name of readdirSync(folder, { recursive: true }) as string[]) {
      if (/\.\w+$/.test(name)) hub.add(name, readFileSync(join(folder, name)), name.endsWith('.safetensors'));
    }
    await hub.start();
    return () => hub.stop();
  });

  const fromHub = (given: Given = {}) => ({ source: 'org/name', endpoint: hub.url, ...given });
  /** The ranges of the requests for the weights of the decoder and the text encoder. */
  const ranges = () =>
    hub.received.filter(({ path }) => /^\/store\/(decoder|text-encoder)/.test(path)).map(({ range }) => range);

  test('generate the tokens that they generate in Node.js', async () => {
    const generated = await page.inWorker<Generated[]>('generate', { source: '/model/', n: 2 });
    expect(generated.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
    for (const [i, { pixels }] of generated.entries()) {
      const data = expected[i]!.pixels;
      expect(pixels.length).toBe(data.length);
      // A pixel of the VQ-GAN may be rounded to the next of 256 levels, since sums are in another order.
      expect(pixels.reduce((most, value, j) => Math.max(most, Math.abs(value - data[j]!)), 0)).toBeLessThanOrEqual(1);
    }
  });

  test('of a website are downloaded once, and only asked for changes afterwards', async () => {
    const first = await page.inWorker<Generated[]>('generate', { source: '/model/' });
    const before = page.requests.length;
    await page.reload();
    const second = await page.inWorker<Generated[]>('generate', { source: '/model/' });
    expect(second[0]!.tokens).toEqual(first[0]!.tokens);
    const later = page.requests.slice(before).filter((request) => request.includes('/model/'));
    expect(later).toContain('HEAD /model/decoder/model.safetensors');
    expect(later.filter((request) => request.startsWith('GET'))).toEqual([]);
    const offline = await page.inWorker<Generated[]>('generate', { source: '/model/', offline: true });
    expect(offline[0]!.tokens).toEqual(first[0]!.tokens);
  });

  test('of a hub open from the browser when the hub cannot be reached', async () => {
    const [first] = await page.inWorker<Generated[]>('generate', fromHub());
    expect(first!.tokens).toEqual(expected[0]!.tokens);
    const given = fromHub();
    await hub.stop();
    await page.reload();
    const [second] = await page.inWorker<Generated[]>('generate', given);
    expect(second!.tokens).toEqual(first!.tokens);
  });

  test('resume a connection that breaks at the byte that it reached', async () => {
    const cutOnce: Answer = (response, content, request) =>
      (content.byteLength > 5_000_000 && !request.headers.range ? cut(3_000_000) : whole)(response, content, request);
    hub.contents.push(...Array.from({ length: 20 }, () => cutOnce));
    const [generated] = await page.inWorker<Generated[]>('generate', fromHub());
    expect(generated!.tokens).toEqual(expected[0]!.tokens);
    // What has arrived by then: the last bytes of a connection that breaks may be lost.
    const reached = ranges().flatMap((range) => /^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? []);
    expect(reached.length).toBe(2);
    for (const position of reached.map(Number)) {
      expect(position).toBeGreaterThan(0);
      expect(position).toBeLessThanOrEqual(3_000_000);
    }
    expect(ranges().length).toBe(4);
  });

  test('resume a download that a page stopped, after a reload', async () => {
    expect(await page.inWorker('stopDownload', { ...fromHub(), bytes: 30_000_000 })).toBe('AbortError');
    await page.reload();
    const before = hub.received.length;
    const [generated] = await page.inWorker<Generated[]>('generate', fromHub());
    expect(generated!.tokens).toEqual(expected[0]!.tokens);
    const later = hub.received.slice(before).map(({ range }) => range);
    // In parts of 8 MB.
    expect(later.filter((range) => /^bytes=(8388608|16777216)-$/.test(range ?? ''))).not.toEqual([]);
  });

  test('are downloaded again if a file has another checksum, and refused if it has it twice', async () => {
    const { content } = hub.files.get('vqgan/model.safetensors')!;
    const damaged = Buffer.from(content);
    damaged[damaged.length - 1]! ^= 1;
    const bad = () => hub.files.get('vqgan/model.safetensors')!;
    bad().content = damaged;
    const error = await page.inWorker<{ code: string; message: string }>('errorOf', fromHub());
    expect(error.code).toBe('HUB');
    expect(error.message).toBe(
      'vqgan/model.safetensors arrived twice with another checksum than it must have. Check the address.',
    );
    bad().content = content;
    const [generated] = await page.inWorker<Generated[]>('generate', fromHub());
    expect(generated!.tokens).toEqual(expected[0]!.tokens);
  });

  test('report what is missing or refused', async () => {
    const errorOf = (given: Given) => page.inWorker<{ code: string; message: string }>('errorOf', given);
    expect((await errorOf({ source: '/nowhere/' })).message).toMatch(
      /nowhere\/ must have the file model.json, and has not\. Check the address of the model\.$/,
    );
    hub.api.push(send('', { code: 401 }));
    expect(await errorOf(fromHub())).toMatchObject({
      code: 'HUB',
      message:
        'org/name at main: the host answered with status 401 Unauthorized. Check the token and the licence of the model.',
    });
    expect(await errorOf({ ...fromHub(), offline: true })).toMatchObject({
      code: 'HUB',
      message: 'org/name: offline is true. Download the model once without it.',
    });
  });

  test('run in a worker for a page, with progress, previews and an end on demand', async () => {
    const result = await page.onPage<InWorker>('generateInWorker', { source: '/model/' });
    expect(result.images[0]!.tokens).toEqual(expected[0]!.tokens);
    expect(result.rows).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(result.previewSize).toBe(Math.sqrt(result.images[0]!.pixels.length / 3));
    expect(result.loaded).toBe(1);
    expect(result.decodes).toBe(true);
    expect(result.stopped).toEqual({ error: 'AbortError', rows: 1 });
    expect(result.refused).toEqual({
      code: 'INVALID_OPTION',
      message: 'prompt must be a description of the image, such as "a red apple", not " ".',
    });
    const decoded = await decodeImage(Uint8Array.from(result.png), result.previewSize);
    expect([...decoded.data]).toEqual(result.images[0]!.pixels);
  });

  test('are read into memory as in Node.js', async () => {
    const { decoder, textEncoder } = await readModelFolder(folder);
    const sums = [...decoder.parameters.values()].map(({ data }) => (data as Float32Array).reduce((a, b) => a + b, 0));
    expect(await page.inWorker('readModel', '/model/')).toEqual({
      sum: sums.reduce((a, b) => a + b, 0),
      parameters: sums.length,
      maxLength: 'maxLength' in textEncoder ? textEncoder.maxLength : 0,
    });
  });

  test('encode images with the encoders of the browser, and save them on a page only', async () => {
    const onPage = await page.onPage<{ png: number[]; webp: number[]; errors: string[] }>('encode');
    expect(onPage.png).toEqual([0x89, ...Buffer.from('PNG')]);
    expect(Buffer.from(onPage.webp).toString()).toBe('WEBP');
    const wrong = 'path must be the name of a file that ends in .png, .jpg, .jpeg, .webp, not "red.gif".';
    expect(onPage.errors).toEqual(['none', wrong]);
    const inWorker = await page.inWorker<{ errors: string[] }>('encode');
    expect(inWorker.errors).toEqual(['A worker cannot save a file. Send the bytes of toBuffer() to the page.', wrong]);
  });

  test('report that the program of their worker is missing', async () => {
    expect(await page.onPage('openInMissingWorker')).toBe('WORKER');
  });
});
