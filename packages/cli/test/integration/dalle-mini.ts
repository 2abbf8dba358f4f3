import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Ended, ending } from '@dalle-mini/testing/processes';

const bin = fileURLToPath(new URL('../../bin/dalle-mini.js', import.meta.url));

/** Runs `dalle-mini` in a folder until it ends. `started` gets the process, for example to interrupt it. */
export function dalleMini(
  cwd: string,
  args: readonly string[],
  started?: (child: ChildProcess) => void,
): Promise<Ended> {
  return run(cwd, [process.execPath, bin, ...args], started);
}

/** Runs `dalle-mini` in a shell after other commands, which for example set limits. */
export function dalleMiniAfter(cwd: string, shellCommands: string, args: readonly string[]): Promise<Ended> {
  return run(cwd, ['bash', '-c', `${shellCommands}; exec "$@"`, 'bash', process.execPath, bin, ...args]);
}

function run(cwd: string, [command, ...args]: string[], started?: (child: ChildProcess) => void): Promise<Ended> {
  // As on a user's machine: some libraries behave differently in continuous integration.
  const { CI, ...env } = process.env;
  const child = spawn(command!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  started?.(child);
  return ending(child);
}
