const width = 30;

/** A progress bar on the last line of a terminal. If stderr is not a terminal, it shows nothing. */
export class ProgressBar {
  private shown = false;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Shows the finished share of the work, in `[0, 1]`, and a text. */
  show(fraction: number, text: string): void {
    if (!this.stream.isTTY) return;
    const full = Math.round(fraction * width);
    const line = `${'█'.repeat(full)}${'░'.repeat(width - full)} ${Math.floor(fraction * 100)} % ${text}`;
    // The line must not wrap, because only one line can be erased.
    this.stream.write(`\r\x1b[K${line.slice(0, (this.stream.columns || 80) - 1)}`);
    this.shown = true;
  }

  /** Erases the bar, so that other text can follow. */
  clear(): void {
    if (this.shown) this.stream.write('\r\x1b[K');
    this.shown = false;
  }
}

/** Formats a time in at most two units: `3 min 20 s`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
