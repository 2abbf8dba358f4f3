/** What the programs share that run others and compare them. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** npm runs a program in the benchmarks' folder; paths are meant from where the user is. */
export function pathOf(path: string): string {
  return resolve(process.env.INIT_CWD ?? '.', path);
}

/** An interpreter that the caller named: a bare name is looked up in PATH. */
export function interpreterOf(name: string): string {
  return name.includes('/') ? pathOf(name) : name;
}

/** Runs a program of this folder, or a peer, by its path from here, and reads what it prints last. */
export function run<Result>(interpreter: string, program: string, options: Readonly<Record<string, string>>): Result {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  // Python would leave its compiled modules beside the peers.
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** Writes what was measured as JSON, with when and on what. */
export function writeReport(path: string, figures: object): void {
  const about = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  const report = { date: new Date().toISOString(), about, ...figures };
  writeFileSync(pathOf(path), `${JSON.stringify(report, undefined, 2)}\n`);
}
