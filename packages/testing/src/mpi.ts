import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { describe } from 'vitest';

/** A program that starts the processes of MPI. */
export interface MpiLauncher {
  readonly name: string;
  readonly command: string;
  /** Arguments that let processes share cores. */
  readonly args: readonly string[];
  /** The argument with which it does not end the other processes when one is lost. */
  readonly keepOthers: string;
}

const kinds: Record<string, Omit<MpiLauncher, 'name' | 'command'>> = {
  'Open MPI': { args: ['--oversubscribe', '--bind-to', 'none'], keepOthers: '--enable-recovery' },
  MPICH: { args: [], keepOthers: '-disable-auto-cleanup' },
};

/** The launchers on this computer, one of each kind: Debian names them by their kind. */
const launchers = new Map<string, MpiLauncher>();
for (const command of ['mpirun.openmpi', 'mpirun.mpich', 'mpirun']) {
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  const name = /Open MPI/.test(stdout ?? '') ? 'Open MPI' : /HYDRA/.test(stdout ?? '') ? 'MPICH' : undefined;
  if (name !== undefined && !launchers.has(name)) launchers.set(name, { name, command, ...kinds[name]! });
}

/** Describes tests that need `mpirun`, once for each kind. They are skipped if there is none, and their name says so. */
export function describeMpi(name: string, tests: (launcher: MpiLauncher) => void): void {
  for (const kind of Object.keys(kinds)) {
    const launcher = launchers.get(kind);
    const missing = launcher ? '' : ` (skipped: mpirun of ${kind} is not installed)`;
    describe.skipIf(!launcher)(`${name}, with ${kind}${missing}`, () => tests(launcher!));
  }
}

/** Starts some processes of a program. */
export function mpirun(
  { command, args }: MpiLauncher,
  count: number,
  program: readonly string[],
  { env, ...options }: SpawnOptions & { readonly flags?: readonly string[] } = {},
) {
  // Tests may run as root, as in containers.
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  return spawn(command, [...args, ...(options.flags ?? []), '-n', String(count), ...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    env: { ...process.env, ...root, ...env },
  });
}
