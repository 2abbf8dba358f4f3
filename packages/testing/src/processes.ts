import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** How a process ended, and what it printed. */
export interface Ended {
  /** Exit code, or the signal that ended the process. */
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for the end of a process, and collects what it prints. */
export function ending(child: ChildProcess): Promise<Ended> {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? signal!, ...printed }));
  });
}

/** Starts a process that runs the source of a module, whose imports are found from the folder `cwd`. */
export function startModule(source: string, cwd: string, args: readonly string[] = [], options: SpawnOptions = {}) {
  const flags = ['--input-type=module', '--eval', source, ...args];
  return spawn(process.execPath, flags, { cwd, stdio: ['ignore', 'pipe', 'pipe'], ...options });
}

/** Runs the source of a module in a process, whose imports are found from the folder `cwd`, to its end. */
export const runModule = (...given: Parameters<typeof startModule>) => ending(startModule(...given));
