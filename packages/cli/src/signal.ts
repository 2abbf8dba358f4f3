// Imports nothing: until this module has run, a signal ends the process without a message.

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** The user or the system asked to stop. */
export class InterruptionError extends Error {
  /** 128 plus the signal's number, as shells report it. */
  readonly exitCode: number;

  constructor(name: keyof typeof signalNumbers) {
    super('interrupted');
    this.exitCode = 128 + signalNumbers[name];
  }
}

/** Returns a signal that aborts at the first SIGHUP, SIGINT or SIGTERM. The second one exits the process at once. */
function abortOnSignals(): AbortSignal {
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

/** Aborts when the process gets a signal to stop. */
export const signal = abortOnSignals();
