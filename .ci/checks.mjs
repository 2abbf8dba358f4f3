/** Functions shared by the scripts of this folder. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Returns the workspaces in a folder of the repository, with their folders and manifests, sorted by name. */
export function workspaces(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, folder, name))
    .sort()
    .map((path) => ({ path, manifest: readJson(join(path, 'package.json')) }));
}

/** Writes the manifest of an app that depends on the pack of a package, and on those of all packages that it needs, and installs it. */
export function installPacks(folder, packsFolder, packageName, manifest) {
  const packs = readJson(join(packsFolder, 'index.json'));
  const manifests = new Map(workspaces('packages').map((workspace) => [workspace.manifest.name, workspace.manifest]));
  const needed = new Set([packageName]);
  for (const name of needed) {
    for (const dependency of Object.keys(manifests.get(name).dependencies ?? {})) {
      if (manifests.has(dependency)) needed.add(dependency);
    }
  }
  const dependencies = Object.fromEntries([...needed].map((name) => [name, `file:${packs[name]}`]));
  const complete = { ...manifest, dependencies: { ...manifest.dependencies, ...dependencies } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(complete));
  // As the documentation says: the app does not have this repository's .npmrc.
  execute('npm', ['install', '--ignore-scripts', '--no-package-lock'], { cwd: folder, minutes: 10 });
}

/** Runs a check, and prints and counts its result. A check fails if it throws. */
export async function check(name, body) {
  try {
    await body();
    record('pass', name);
  } catch (error) {
    record('fail', name);
    console.log(`    ${String(error.message).trimEnd().replaceAll('\n', '\n    ')}`);
    process.exitCode = 1;
  }
}

function record(result, name) {
  console.log(`${result} ${name}`);
  if (process.env.CHECKS) appendFileSync(process.env.CHECKS, `${result} ${name}\n`);
}

/** Runs a program and returns its output. Throws an error with the output if it fails or takes longer than `minutes`. */
export function execute(command, args, { cwd = root, env = {}, minutes = 5 } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    // On Windows, npm and the programs of packages are scripts of the shell.
    shell: process.platform === 'win32' && command !== process.execPath,
    timeout: minutes * 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) {
    throw new Error(
      [`${command} ${args.join(' ')}: ${error?.message ?? `exit code ${status}`}`, stdout, stderr].join('\n'),
    );
  }
  return stdout;
}
