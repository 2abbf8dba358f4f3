/** An event of a stream. */
export interface ServerEvent {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect.
  readonly data: any;
}

export interface PostOptions {
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /** The address that a proxy would name. */
  readonly client?: string;
}

export function post(url: string, path: string, body: unknown, { accept, signal, client }: PostOptions = {}) {
  return fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(accept && { accept }),
      ...(client && { 'x-forwarded-for': client }),
    },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** Reads a stream of events. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  let rest = '';
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    rest += text;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(rest.slice(0, end)) ?? [];
      if (event !== undefined) yield { event, data: JSON.parse(data!) };
      rest = rest.slice(end + 2);
    }
  }
}

export async function allEvents(response: Response): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of eventsOf(response)) events.push(event);
  return events;
}

/** Value of a metric in the text format of Prometheus. */
export async function metric(url: string, name: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

// biome-ignore lint/suspicious/noExplicitAny: tests say what they expect.
export const jsonOf = (response: Response): Promise<any> => response.json();
