import type { ServerResponse } from 'node:http';

/** Milliseconds between comments that keep the connection open while nothing happens. */
const heartbeat = 15_000;

/** Milliseconds that a client has to read the last events. */
const stall = 60_000;

/** A response of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventStream {
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly response: ServerResponse) {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Tells nginx to pass events on at once.
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    this.timer = setInterval(() => response.write(': waiting\n\n'), heartbeat);
    response.once('close', () => clearInterval(this.timer));
  }

  /** Whether the client reads more slowly than events come. */
  get isCongested(): boolean {
    return this.response.writableNeedDrain;
  }

  send(event: string, data: unknown): void {
    this.response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    clearInterval(this.timer);
    const timer = setTimeout(() => this.response.destroy(), stall).unref();
    this.response.once('close', () => clearTimeout(timer));
    this.response.end();
  }
}
