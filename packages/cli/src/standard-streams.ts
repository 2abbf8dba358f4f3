/**
 * Reports that stdout or stderr cannot be written to, for example because the disk is full, in one line on stderr, and
 * sets the exit code. A reader that stops early, such as `head`, is not an error.
 */
export function reportStreamErrors(): void {
  for (const [name, stream] of [
    ['the standard output', process.stdout],
    ['the standard error', process.stderr],
  ] as const) {
    let reported = false;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || reported) return;
      reported = true;
      process.exitCode ||= 1;
      const reason = error.code === 'ENOSPC' ? 'the disk is full. Free some space' : `${error.message}. Redirect it`;
      if (stream !== process.stderr) process.stderr.write(`dalle-mini: Cannot write to ${name}: ${reason}.\n`);
    });
  }
}
