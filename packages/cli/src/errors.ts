import { DalleMiniError } from '@dalle-mini/core';

/** The command line is wrong: exit code 2. */
export class UsageError extends DalleMiniError {
  static override readonly code = 'USAGE';
}

/** The user or the system asked to stop. */
export class InterruptionError extends DalleMiniError {
  static override readonly code = 'INTERRUPTED';
  /** As shells report it: 128 and the signal's number. */
  readonly exitCode: number;

  constructor(signal: keyof typeof signalNumbers) {
    super('interrupted');
    this.exitCode = 128 + signalNumbers[signal];
  }
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Aborts at the first signal to stop; ends the process at once at the second. */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of Object.keys(signalNumbers) as (keyof typeof signalNumbers)[]) {
    process.on(name, () => {
      const interruption = new InterruptionError(name);
      if (controller.signal.aborted) process.exit(interruption.exitCode);
      controller.abort(interruption);
    });
  }
  return controller.signal;
}
