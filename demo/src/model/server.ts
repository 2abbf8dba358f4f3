/** The model of `dalle-mini serve`. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { Request } from '../request.js';
import { emojiFacts } from './emoji.js';
import type { GenerateCall, Model, ModelFacts, ModelSource, Picture } from './model.js';

interface ServerPicture extends Omit<Picture, 'url'> {
  readonly png: string;
}

interface ServerProgress {
  readonly done: number;
  readonly total: number;
  readonly row: number;
  readonly rows: number;
  readonly firstIndex: number;
  readonly previews?: readonly string[];
}

export const source: ModelSource = {
  place: 'server',
  bytes: 0,
  facts: emojiFacts,
  async open({ signal }) {
    const facts = (await jsonOf(await fetch('api/model', { signal }))) as ModelFacts;
    return { facts, generate, decode, encode } satisfies Model;
  },
};

async function generate(request: Request, { signal, onUpdate }: GenerateCall): Promise<readonly Picture[]> {
  const response = await post('api/generate', { ...request, previews: true }, signal);
  const events = response.body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error('The server has closed the connection. Try again.');
    const data = JSON.parse(value.data);
    if (value.event === 'queued') onUpdate({ ahead: data.ahead + 1 });
    else if (value.event === 'started') onUpdate({ fraction: 0 });
    else if (value.event === 'progress') onUpdate(updateOf(data));
    else if (value.event === 'error') throw new Error(data.message);
    else if (value.event === 'done')
      return data.images.map(({ png, ...image }: ServerPicture) => ({ ...image, url: urlOf(png) }));
  }
}

function updateOf({ done, total, row, rows, firstIndex, previews }: ServerProgress) {
  return { fraction: done / total, batch: { firstIndex, fraction: row / rows }, previews: previews?.map(urlOf) };
}

async function decode(grids: readonly (readonly number[])[]): Promise<readonly string[]> {
  const { images } = await jsonOf(await post('api/decode', { grids }));
  return images.map(urlOf);
}

async function encode({ data }: ImageData): Promise<readonly number[]> {
  let bytes = '';
  for (let i = 0; i < data.length; i += 4) bytes += String.fromCharCode(data[i]!, data[i + 1]!, data[i + 2]!);
  return (await jsonOf(await post('api/encode', { pixels: btoa(bytes) }))).tokens;
}

async function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null });
  if (response.ok) return response;
  return jsonOf(response);
}

// biome-ignore lint/suspicious/noExplicitAny: the server of this repository answers.
async function jsonOf(response: Response): Promise<any> {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  throw new Error(body.error?.message ?? `The server answers with status ${response.status}. Try again later.`);
}

const urlOf = (png: string) => `data:image/png;base64,${png}`;
