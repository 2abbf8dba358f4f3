import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { OptionError } from '@dalle-mini/core';
import { encodeImage } from '@dalle-mini/pipeline';
import { type ImageServer, type ServeOptions, serve } from '@dalle-mini/serve';
import { afterEach, describe, expect, test } from 'vitest';
import { allEvents, eventsOf, jsonOf, metric, post } from './client.js';
import { type FakeModel, fakeModel } from './fake-model.js';

let server: ImageServer | undefined;
let fake: FakeModel;

afterEach(async () => {
  fake.resume();
  await server?.close();
  server = undefined;
});

async function start(options: ServeOptions = {}): Promise<string> {
  fake = fakeModel();
  server = await serve(fake.model, { port: 0, page: false, ...options });
  return server.url;
}

/** Waits until a metric has a value. */
async function untilMetric(url: string, name: string, value: number): Promise<void> {
  await expect.poll(() => metric(url, name), { interval: 5, timeout: 10_000 }).toBe(value);
}

/** Sends the text of a request, and reads all that comes back until the connection is closed. */
async function raw(url: string, text: string): Promise<string> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return received;
}

describe('generating', () => {
  test('sends the rows, and then the images with the bytes of their files', async () => {
    const url = await start();
    const response = await post(url, '/api/generate', { prompt: 'a red apple', seed: 7, n: 2 });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = await allEvents(response);
    expect(events.map(({ event }) => event)).toEqual(['started', 'progress', 'progress', 'done']);
    expect(events[2]!.data).toEqual({ done: 4, total: 4, row: 2, rows: 2, firstIndex: 0 });
    const [expected] = await fake.model.generate('a red apple', { seed: 7, n: 2 });
    const [first, second] = events[3]!.data.images;
    expect(first).toMatchObject({ index: 0, seed: 7, width: 2, height: 2, tokens: [7, 0, 2, 3], warnings: [] });
    expect(Buffer.from(first.png, 'base64')).toEqual(Buffer.from(await encodeImage(expected!.image)));
    expect(second.index).toBe(1);
  });

  test('sends previews, with white where rows are missing, if they are asked for', async () => {
    const url = await start();
    const events = await allEvents(await post(url, '/api/generate', { prompt: 'a pear', seed: 5, previews: true }));
    const previews = events.flatMap(({ event, data }) => (event === 'progress' ? [data.previews] : []));
    const halfWhite = { width: 2, height: 2, data: new Uint8Array(12).fill(5, 0, 6).fill(255, 6) };
    expect(previews).toEqual([[Buffer.from(await encodeImage(halfWhite)).toString('base64')], undefined]);
  });

  test('answers with JSON if that is all that the client accepts', async () => {
    const url = await start();
    const response = await post(url, '/api/generate', { prompt: 'a pear' }, { accept: 'application/json' });
    expect(response.headers.get('content-type')).toBe('application/json');
    const { images } = await jsonOf(response);
    expect(images).toHaveLength(1);
    expect(images[0].seed).toBeTypeOf('number');
  });

  test('tells of an error inside of the server without its message', async () => {
    const errors: unknown[] = [];
    const url = await start({ onError: (error) => errors.push(error) });
    const events = await allEvents(await post(url, '/api/generate', { prompt: 'a pear', seed: 66 }));
    expect(events.at(-1)).toEqual({
      event: 'error',
      data: { code: 'INTERNAL', message: 'The server failed. Its log has the reason.' },
    });
    expect(errors).toHaveLength(1);
    expect(await metric(url, 'dalle_mini_jobs_total{outcome="failed"}')).toBe(1);
    expect(await allEvents(await post(url, '/api/generate', { prompt: 'a pear' }))).toHaveLength(4);
  });
});

describe('the queue', () => {
  test('runs requests in the order of their arrival, and tells how many are ahead', async () => {
    const url = await start({ perClient: 3 });
    fake.pause();
    const streams = [];
    for (const [i, prompt] of ['first', 'second', 'third'].entries()) {
      streams.push(allEvents(await post(url, '/api/generate', { prompt })));
      await untilMetric(url, 'dalle_mini_queue_length', i);
    }
    fake.resume();
    const [, second, third] = await Promise.all(streams);
    const aheadOf = (events: typeof second) =>
      events!.flatMap(({ event, data }) => (event === 'queued' ? [data.ahead] : []));
    expect([aheadOf(second), aheadOf(third)]).toEqual([[0], [1, 0]]);
    expect(fake.prompts).toEqual(['first', 'second', 'third']);
  });

  test('refuses the requests of a client that has too many, and admits those of others', async () => {
    const url = await start({ perClient: 1, trustProxy: true });
    fake.pause();
    const first = await post(url, '/api/generate', { prompt: 'a pear' }, { client: '10.0.0.1' });
    const refused = await post(url, '/api/generate', { prompt: 'a pear' }, { client: '10.0.0.1' });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect((await jsonOf(refused)).error.code).toBe('TOO_MANY_JOBS');
    // A client can write the first entries of the header itself.
    const spoofed = await post(url, '/api/generate', { prompt: 'a pear' }, { client: '10.0.0.7, 10.0.0.1' });
    expect(spoofed.status).toBe(429);
    const other = await post(url, '/api/generate', { prompt: 'a pear' }, { client: '10.0.0.2' });
    fake.resume();
    expect([await allEvents(first), await allEvents(other)].map((events) => events.at(-1)!.event)).toEqual([
      'done',
      'done',
    ]);
  });

  test('refuses requests while it is full', async () => {
    const url = await start({ queueLength: 1, perClient: 9 });
    fake.pause();
    const admitted = [
      await post(url, '/api/generate', { prompt: 'a' }),
      await post(url, '/api/generate', { prompt: 'b' }),
    ];
    const refused = await post(url, '/api/generate', { prompt: 'c' });
    expect([refused.status, (await jsonOf(refused)).error.code]).toEqual([503, 'QUEUE_FULL']);
    expect(await metric(url, 'dalle_mini_jobs_total{outcome="refused"}')).toBe(1);
    fake.resume();
    for (const response of admitted) expect((await allEvents(response)).at(-1)!.event).toBe('done');
  });

  test('cancels what a client waits for when it leaves, running or not', async () => {
    const url = await start({ perClient: 9 });
    fake.pause();
    const leaving = new AbortController();
    const running = await post(url, '/api/generate', { prompt: 'running' }, leaving);
    await eventsOf(running).next();
    await post(url, '/api/generate', { prompt: 'waiting' }, leaving);
    const staying = await post(url, '/api/generate', { prompt: 'staying' });
    await untilMetric(url, 'dalle_mini_queue_length', 2);
    leaving.abort();
    await untilMetric(url, 'dalle_mini_jobs_total{outcome="cancelled"}', 2);
    fake.resume();
    expect((await allEvents(staying)).at(-1)!.event).toBe('done');
    expect(fake.prompts).toEqual(['running', 'staying']);
    await untilMetric(url, 'dalle_mini_jobs_running', 0);
  });

  test('serves 20 clients of which every third leaves', async () => {
    const url = await start({ trustProxy: true });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const leaving = new AbortController();
        const options = { client: `10.0.0.${i}`, signal: leaving.signal };
        const response = await post(url, '/api/generate', { prompt: `prompt ${i}`, seed: i, n: 9 }, options);
        if (i % 3 === 0) {
          leaving.abort();
          return 'left';
        }
        const events = await allEvents(response);
        return events.at(-1)!.data.images.map(({ seed }: { seed: number }) => seed);
      }),
    );
    expect(outcomes).toEqual(Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? 'left' : Array(9).fill(i))));
    await untilMetric(url, 'dalle_mini_jobs_running', 0);
    expect(await metric(url, 'dalle_mini_queue_length')).toBe(0);
  });
});

describe('tokens', () => {
  test('are decoded to images', async () => {
    const url = await start();
    const response = await post(url, '/api/decode', { grids: [[9, 1, 2, 3]] });
    const expected = await encodeImage({ width: 2, height: 2, data: new Uint8Array(12).fill(9) });
    expect(await response.json()).toEqual({ images: [Buffer.from(expected).toString('base64')] });
  });

  test('are the encoding of an image', async () => {
    const url = await start();
    const pixels = Buffer.alloc(12, 200).toString('base64');
    expect(await (await post(url, '/api/encode', { pixels })).json()).toEqual({ tokens: [200, 1, 2, 3] });
  });

  test.each([
    ['/api/decode', { grids: [[9, 1, 2, 256]] }, 'grids[0][3] must be a whole number from 0 to 255, not 256.'],
    ['/api/decode', { grids: [[9]] }, 'grids[0] must be a list of 4 values'],
    ['/api/encode', { pixels: 'AAAA' }, 'pixels must be 12 bytes in base64, an image of 2 × 2 pixels'],
  ])('are refused by %s if they do not fit the model', async (path, body, message) => {
    const url = await start();
    const response = await post(url, path, body);
    expect(response.status).toBe(400);
    expect((await jsonOf(response)).error.message).toContain(message);
  });
});

describe('bad requests', () => {
  test.each([
    [{}, 'prompt is missing'],
    [{ prompt: '' }, 'prompt must be a string that is not empty'],
    [{ prompt: ' \u200b' }, 'prompt must be a description of the image'],
    [{ prompt: 5 }, 'prompt must be a string'],
    [{ prompt: 'x'.repeat(2001) }, 'prompt must be at most 2000 characters'],
    [{ prompt: 'a pear', n: 10 }, 'n must be a whole number from 1 to 9, not 10.'],
    [{ prompt: 'a pear', n: 1.5 }, 'n must be a whole number'],
    [{ prompt: 'a pear', seed: -1 }, 'seed must be'],
    [{ prompt: 'a pear', seed: 2 ** 53 }, 'seed must be'],
    [{ prompt: 'a pear', topP: 0 }, 'topP must be'],
    [{ prompt: 'a pear', temperature: null }, 'temperature must be'],
    [{ prompt: 'a pear', previews: 'yes' }, 'previews must be'],
    [{ prompt: 'a pear', signal: {} }, 'signal'],
    [[], 'the options of POST /api/generate must be an object'],
    [null, 'the options of POST /api/generate must be an object'],
  ])('%j: an error says what must be', async (body, message) => {
    const url = await start();
    const response = await post(url, '/api/generate', body);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toBe('application/json');
    const { error } = await jsonOf(response);
    expect(error.code).toBe('INVALID_OPTION');
    expect(error.message).toContain(message);
  });

  test.each([
    ['{"prompt":', 'application/json', 400, 'INVALID_JSON'],
    ['', 'application/json', 400, 'INVALID_JSON'],
    ['['.repeat(60_000), 'application/json', 400, 'INVALID_JSON'],
    [Uint8Array.of(0x22, 0xff, 0x22), 'application/json', 400, 'INVALID_JSON'],
    ['{"prompt":"a pear"}', 'text/plain', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['x'.repeat(65_537), 'application/json', 413, 'BODY_TOO_LARGE'],
  ])('a body that is not JSON, or too large, is refused (%#)', async (body, type, status, code) => {
    const url = await start();
    const response = await fetch(`${url}/api/generate`, { method: 'POST', body, headers: { 'content-type': type } });
    expect([response.status, (await jsonOf(response)).error.code]).toEqual([status, code]);
  });

  test.each([
    ['GET', '/api/generate', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/api/model', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/api/constructor', 404, 'NOT_FOUND'],
    ['POST', '/', 404, 'NOT_FOUND'],
    ['GET', '/api/nothing', 404, 'NOT_FOUND'],
    ['GET', '/..%2f..%2fpackage.json', 404, 'NOT_FOUND'],
  ])('%s %s is refused', async (method, path, status, code) => {
    const url = await start();
    const response = await fetch(url + path, { method });
    expect([response.status, (await jsonOf(response)).error.code]).toEqual([status, code]);
  });

  const head = 'POST /api/generate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

  test('a body without end is refused when it becomes too large', async () => {
    const url = await start();
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    const answer = await raw(url, `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(20)}`);
    expect(answer).toContain('413 Payload Too Large');
    expect(answer).toContain('BODY_TOO_LARGE');
  });

  test('a body that comes too slowly is refused', async () => {
    const url = await start({ bodyTimeout: 50 });
    const answer = await raw(url, `${head}content-length: 100\r\n\r\n{"prompt":`);
    expect(answer).toContain('408 Request Timeout');
    expect(answer).toContain('BODY_TIMEOUT');
  });

  test('what is not HTTP ends that connection only', async () => {
    const url = await start();
    expect(await raw(url, '\x16\x03\x01\x02\x00\r\n\r\n')).toContain('400 Bad Request');
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});

describe('running a server', () => {
  test('describes the model', async () => {
    const url = await start({ maxImages: 4 });
    expect(await (await fetch(`${url}/api/model`)).json()).toEqual({
      imageSize: 2,
      gridSize: 2,
      vocabularySize: 256,
      sampling: { temperature: 0.5 },
      isRanked: false,
      maxImages: 4,
    });
  });

  test('counts requests, jobs and images', async () => {
    const url = await start();
    await allEvents(await post(url, '/api/generate', { prompt: 'a pear', n: 3 }));
    await post(url, '/api/generate', {});
    await untilMetric(url, 'dalle_mini_requests_total{route="/api/generate",status="400"}', 1);
    expect(await metric(url, 'dalle_mini_requests_total{route="/api/generate",status="200"}')).toBe(1);
    expect(await metric(url, 'dalle_mini_jobs_total{outcome="done"}')).toBe(1);
    expect(await metric(url, 'dalle_mini_images_total')).toBe(3);
    expect(await metric(url, 'dalle_mini_generate_seconds_count')).toBe(1);
  });

  test('closes when the images that it generates are done, and drops those that wait', async () => {
    const url = await start({ perClient: 9 });
    fake.pause();
    const running = await post(url, '/api/generate', { prompt: 'running' });
    const waiting = await post(url, '/api/generate', { prompt: 'waiting' });
    await untilMetric(url, 'dalle_mini_queue_length', 1);
    const closed = server!.close();
    expect((await allEvents(waiting)).at(-1)!.data.code).toBe('CLOSING');
    await setTimeout(20);
    fake.resume();
    expect((await allEvents(running)).at(-1)!.event).toBe('done');
    await closed;
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
  });

  test('closes after a time although images are not done', async () => {
    const url = await start({ closeTimeout: 20 });
    fake.pause();
    const running = await post(url, '/api/generate', { prompt: 'running' });
    await eventsOf(running).next();
    await server!.close();
    expect(fake.prompts).toEqual(['running']);
  });

  test('refuses options that are out of their range, and a port that is taken', async () => {
    fake = fakeModel();
    await expect(serve(fake.model, { port: 70_000 })).rejects.toThrow(OptionError);
    const url = await start();
    await expect(serve(fake.model, { port: Number(new URL(url).port), page: false })).rejects.toThrow('EADDRINUSE');
  });
});
