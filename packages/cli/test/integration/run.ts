import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/dalle-mini.js', import.meta.url));

export interface Result {
  /** Exit code, or the signal that ended the process. */
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `dalle-mini` in a folder to its end. `started` gets the process, to be interrupted for example. */
export function dalleMini(
  cwd: string,
  args: readonly string[],
  started?: (child: ChildProcess) => void,
): Promise<Result> {
  return run(cwd, [process.execPath, bin, ...args], started);
}

/** Runs `dalle-mini` in a shell, after other commands in it: to set limits for example. */
export function dalleMiniAfter(cwd: string, shellCommands: string, args: readonly string[]): Promise<Result> {
  return run(cwd, ['bash', '-c', `${shellCommands}; exec "$@"`, 'bash', process.execPath, bin, ...args]);
}

function run(cwd: string, [command, ...args]: string[], started?: (child: ChildProcess) => void): Promise<Result> {
  // As on a user's machine: some libraries behave otherwise on servers of continuous integration.
  const { CI, ...env } = process.env;
  const child = spawn(command!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const result = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      result[name] += text;
    });
  }
  started?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? signal!, ...result }));
  });
}
