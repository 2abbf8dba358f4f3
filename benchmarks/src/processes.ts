/** Functions shared by the programs that run and compare other programs. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export { median } from './median.js';

/** Resolves a path from the user's current folder, because npm runs programs in the folder of the benchmarks. */
export function pathOf(path: string): string {
  return resolve(process.env.INIT_CWD ?? '.', path);
}

/** Returns the path of an interpreter; a plain name is looked up in PATH. */
export function interpreterOf(name: string): string {
  return name.includes('/') ? pathOf(name) : name;
}

/** Runs a program, with its path relative to this folder, and parses the last line of its output. */
export function run<Result>(interpreter: string, program: string, options: Readonly<Record<string, string>>): Result {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  // Otherwise Python would write compiled modules into the folder of the peers.
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const printed = execFileSync(interpreter, [path, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  return JSON.parse(printed.trim().split('\n').at(-1)!) as Result;
}

/** The folders of a release of random weights, `mini` or `mega`, and of its VQ-GAN: made where they are missing. */
export function randomModels(work: string, size: string): { readonly model: string; readonly vqgan: string } {
  const [model, vqgan] = [join(work, size), join(work, 'vqgan')];
  if (!existsSync(join(model, 'flax_model.msgpack'))) {
    const made = run<object>(process.execPath, 'random-release.js', { size, folder: model, vqgan });
    console.error(`made a random release: ${JSON.stringify(made)}`);
  }
  return { model, vqgan };
}

/** Writes measurements as JSON, with the date and the machine. */
export function writeReport(path: string, figures: object): void {
  const about = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  const report = { date: new Date().toISOString(), about, ...figures };
  writeFileSync(pathOf(path), `${JSON.stringify(report, undefined, 2)}\n`);
}
