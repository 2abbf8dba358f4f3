/**
 * Compiles training steps for TPUs and GPUs that are not there, each in a process of its own, and writes how long that takes and how much
 * memory a device needs. See README.md.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Compilation, compilations, targets } from './compilations.js';
import type { CompilationResult } from './compile-here.js';
import { pathOf, writeReport } from './processes.js';

const usage = `Usage: npm run -w benchmarks ahead-of-time -- [options]

  --out FILE      the results as JSON; rows that it has, except refused ones, are not compiled again. Default benchmarks/results/ahead-of-time.json
  --model TEXT    only models whose name has this text
  --target TEXT   only targets whose name has this text
  --minutes N     minutes after which a row is given up. Default 30`;

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'benchmarks/results/ahead-of-time.json' },
    model: { type: 'string', default: '' },
    target: { type: 'string', default: '' },
    minutes: { type: 'string', default: '30' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit();
}

/** A row with its result. */
export type CompiledRow = Compilation & CompilationResult;

const rowKey = ({ model, generating, target, sharding }: Compilation) => [model, generating, target, sharding].join();
const out = pathOf(options.out);
const known: readonly CompiledRow[] = existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')).results : [];
const results = new Map(known.map((row) => [rowKey(row), row]));
const isDone = (row: Compilation) => results.has(rowKey(row)) && !('error' in results.get(rowKey(row))!);
for (const [i, row] of compilations.entries()) {
  const isWanted = row.model.includes(options.model) && row.target.includes(options.target);
  if (!isWanted || isDone(row)) continue;
  const result = compile(i);
  console.error(JSON.stringify({ ...row, ...result }));
  results.set(rowKey(row), { ...row, ...result });
  writeReport(out, { results: compilations.flatMap((one) => results.get(rowKey(one)) ?? []) });
}

function compile(row: number): CompilationResult {
  const { device } = targets[compilations[row]!.target]!;
  // Plugins look for hardware otherwise, and libtpu allows one process at a time to use it.
  const away =
    device === 'tpu'
      ? { TPU_SKIP_MDS_QUERY: '1', ALLOW_MULTIPLE_LIBTPU_LOAD: '1' }
      : { XLA_FLAGS: '--xla_gpu_autotune_level=0' };
  try {
    const path = fileURLToPath(new URL('compile-here.js', import.meta.url));
    const printed = execFileSync(process.execPath, [path, '--row', String(row)], {
      encoding: 'utf8',
      env: { ...process.env, ...away },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: Number(options.minutes) * 60_000,
      maxBuffer: 2 ** 26,
    });
    return JSON.parse(printed.trim().split('\n').at(-1)!);
  } catch (error) {
    const { stderr, signal, message } = error as Error & { readonly stderr?: string; readonly signal?: string };
    return { error: signal ? `ended by ${signal}` : (stderr?.trim().split('\n').at(-1) ?? message) };
  }
}
