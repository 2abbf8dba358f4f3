import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Complete } from '@dalle-mini/core';
import type { TextToImage } from '@dalle-mini/pipeline';
import { readJson } from './body.js';
import { type Caller, encodeBase64, Generating } from './generate.js';
import type { Metrics } from './metrics.js';
import type { ServeOptions } from './options.js';
import { JobQueue } from './queue.js';
import { readGenerateRequest, readGrids, readPixels } from './requests.js';
import { sendJson } from './respond.js';

export type Handler = (request: IncomingMessage, response: ServerResponse, caller: Caller) => Promise<void> | void;

/** Handlers by path and method. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

/** Most bytes of a body that has no pixels. */
const bodyBytes = 65_536;

export function createRoutes(
  model: TextToImage,
  { maxImages, bodyTimeout }: Pick<Complete<ServeOptions>, 'maxImages' | 'bodyTimeout'>,
  queue: JobQueue,
  metrics: Metrics,
): Routes {
  const { imageTokenizer } = model;
  const pixelBytes = 4 * imageTokenizer.imageSize ** 2;
  const generating = new Generating(model, queue, metrics);
  // Decoding takes a few milliseconds, and does not wait for images that are generated.
  const decoding = new JobQueue({ concurrency: 1, perClient: 4, length: 64 });

  const read = (request: IncomingMessage, bytes = bodyBytes) => readJson(request, { bytes, milliseconds: bodyTimeout });

  const decodeInTurn = async <T>({ client, signal, closing }: Caller, work: () => Promise<T>): Promise<T> => {
    const job = decoding.enter(client);
    try {
      await job.turn(AbortSignal.any([signal, closing]));
      return await work();
    } finally {
      job.leave();
    }
  };

  return {
    '/health': {
      GET: (_, response, { closing }) =>
        sendJson(response, { status: closing.aborted ? 'closing' : 'ok' }, closing.aborted ? 503 : 200),
    },
    '/metrics': {
      GET: async (_, response) => {
        response.setHeader('content-type', metrics.registry.contentType).end(await metrics.registry.metrics());
      },
    },
    '/api/model': { GET: (_, response) => sendJson(response, describeModel(model, maxImages)) },
    '/api/generate': {
      POST: async (request, response, caller) =>
        generating.answer(readGenerateRequest(await read(request), maxImages), caller, request, response),
    },
    '/api/decode': {
      POST: async (request, response, caller) => {
        const grids = readGrids(await read(request), model);
        const images = await decodeInTurn(caller, () => imageTokenizer.decode(grids, { signal: caller.signal }));
        sendJson(response, { images: await Promise.all(images.map(encodeBase64)) });
      },
    },
    '/api/encode': {
      POST: async (request, response, caller) => {
        const image = readPixels(await read(request, bodyBytes + pixelBytes), model);
        const [tokens] = await decodeInTurn(caller, () => imageTokenizer.encode([image], { signal: caller.signal }));
        sendJson(response, { tokens: [...tokens!] });
      },
    },
  };
}

function describeModel({ imageTokenizer, sampling, ranker }: TextToImage, maxImages: number) {
  const { imageSize, gridSize, vocabularySize } = imageTokenizer;
  return { imageSize, gridSize, vocabularySize, sampling, isRanked: ranker !== undefined, maxImages };
}
