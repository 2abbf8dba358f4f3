import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** How long a host may be silent before it counts as lost. */
export const defaultSilence = 60;

/** Signs of life in the time that a host may be silent. */
const signs = 6;

/** Milliseconds within which the other side should close its end. */
const patience = 1000;

export interface ConnectionEvents {
  readonly onMessage: (message: Readonly<Record<string, unknown>>) => void;
  /** Called once, when the connection has ended or the other side was silent for too long. */
  readonly onEnd: (reason: string) => void;
}

/**
 * Messages between two hosts: a line of JSON each. Both sides send empty lines all the time, so that each notices
 * when the other is lost, even if its network or its power is.
 */
export class Connection {
  private readonly beat: NodeJS.Timeout;
  private hasEnded = false;

  constructor(
    private readonly socket: Socket,
    silenceSeconds: number,
    private readonly events: ConnectionEvents,
  ) {
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => this.end(`its connection failed (${error.code})`));
    socket.on('close', () => this.end('its connection closed'));
    /** Signs of life sent since the last one came. Not a time: this host may have been suspended itself. */
    let unanswered = 0;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      unanswered = 0;
      if (line !== '' && !this.hasEnded) events.onMessage(JSON.parse(line));
    });
    // It repeats the errors of the socket.
    lines.on('error', () => undefined);
    this.beat = setInterval(
      () => {
        if (++unanswered > signs) this.end(`it was silent for ${silenceSeconds} seconds`);
        else socket.write('\n');
      },
      (1000 * silenceSeconds) / signs,
    );
  }

  send(message: Readonly<Record<string, unknown>>): void {
    if (!this.hasEnded) this.socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends what remains, and closes the connection. `onEnd` is not called. */
  close(): Promise<void> {
    clearInterval(this.beat);
    this.hasEnded = true;
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve();
      // Not at once: what the other side has not read yet would be lost.
      const timer = setTimeout(() => this.socket.destroy(), patience);
      this.socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.socket.end();
    });
  }

  private end(reason: string): void {
    if (this.hasEnded) return;
    clearInterval(this.beat);
    this.hasEnded = true;
    this.socket.destroy();
    this.events.onEnd(reason);
  }
}
