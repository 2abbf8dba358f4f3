import { DalleMiniError } from '@dalle-mini/core';

/** The command line is wrong: exit code 2. */
export class UsageError extends DalleMiniError {
  static override readonly code = 'USAGE';
}

/** The user or the system asked to stop. */
export class InterruptionError extends DalleMiniError {
  static override readonly code = 'INTERRUPTED';
  /** 128 plus the signal's number, as shells report it. */
  readonly exitCode: number;

  constructor(signal: keyof typeof signalNumbers) {
    super('interrupted');
    this.exitCode = 128 + signalNumbers[signal];
  }
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Returns a signal that aborts at the first SIGHUP, SIGINT or SIGTERM. The second one exits the process at once. */
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
