import type { IncomingMessage, ServerResponse } from 'node:http';
import { fromTimeToTime, type RgbImage } from '@dalle-mini/core';
import {
  checkPrompt,
  encodeImage,
  type GeneratedImage,
  type GenerateProgress,
  type TextToImage,
} from '@dalle-mini/pipeline';
import { EventStream } from './event-stream.js';
import type { Metrics, Outcome } from './metrics.js';
import type { Job, JobQueue } from './queue.js';
import type { GenerateRequest } from './requests.js';
import { failureOf, sendJson } from './respond.js';

/** Least milliseconds between previews of a job, since the next row waits for a preview. */
const previewInterval = 250;

/** Who asks. */
export interface Caller {
  readonly client: string;
  /** Aborts when the client leaves, or when the time to close the server is over. */
  readonly signal: AbortSignal;
  /** Aborts when the server begins to close. */
  readonly closing: AbortSignal;
}

/** Answers requests to generate images. */
export class Generating {
  constructor(
    private readonly model: TextToImage,
    private readonly queue: JobQueue,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Generates images when it is the turn of the job, and answers with events, or with JSON if that is all that the client
   * accepts.
   */
  async answer(
    body: GenerateRequest,
    caller: Caller,
    { headers }: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    checkPrompt(body.prompt);
    const job = this.enter(caller.client);
    const events = headers.accept === 'application/json' ? undefined : new EventStream(response);
    let outcome: Outcome = 'done';
    try {
      const images = await this.generateInTurn(job, body, caller, events);
      const result = { images: await Promise.all(images.map(describeImage)) };
      if (events) events.send('done', result);
      else sendJson(response, result);
    } catch (error) {
      const { status, code, message } = failureOf(error);
      outcome = status === 500 && !caller.signal.aborted ? 'failed' : 'cancelled';
      events?.send('error', { code, message });
      throw error;
    } finally {
      job.leave();
      events?.end();
      this.metrics.jobs.inc({ outcome });
    }
  }

  private enter(client: string): Job {
    try {
      return this.queue.enter(client);
    } catch (error) {
      this.metrics.jobs.inc({ outcome: 'refused' });
      throw error;
    }
  }

  private async generateInTurn(
    job: Job,
    { prompt, previews = false, ...options }: GenerateRequest,
    { signal, closing }: Caller,
    events: EventStream | undefined,
  ): Promise<GeneratedImage[]> {
    const waited = this.metrics.waitSeconds.startTimer();
    await job.turn(AbortSignal.any([signal, closing]), (ahead) => events?.send('queued', { ahead }));
    waited();
    events?.send('started', {});
    const generated = this.metrics.generateSeconds.startTimer();
    const onProgress = events && rowReporter(events, previews);
    const images = await this.model.generate(prompt, { ...options, signal, onProgress });
    generated();
    this.metrics.images.inc(images.length);
    return images;
  }
}

/** Sends an event for each row, unless the client reads too slowly, and from time to time previews of the images. */
function rowReporter(events: EventStream, withPreviews: boolean) {
  const paced = fromTimeToTime(previewInterval);
  return async ({ done, total, row, rows, firstIndex, preview }: GenerateProgress): Promise<void> => {
    if (events.isCongested) return;
    const isWanted = withPreviews && row < rows;
    const previews = isWanted ? await paced(async () => Promise.all((await preview()).map(encodeBase64))) : undefined;
    events.send('progress', { done, total, row, rows, firstIndex, previews });
  };
}

/** Describes an image of a response. `png` is the file that `dalle-mini generate` writes, in base64. */
async function describeImage({ image, tokens, index, seed, score, warnings }: GeneratedImage) {
  const { width, height } = image;
  return { index, seed, score, warnings, width, height, tokens: [...tokens], png: await encodeBase64(image) };
}

export async function encodeBase64(image: RgbImage): Promise<string> {
  return Buffer.from(await encodeImage(image)).toString('base64');
}
