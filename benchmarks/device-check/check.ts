/**
 * Checks XLA on the accelerator of this machine in a few minutes: the cases of all operators, and the training benchmarks next to PyTorch
 * and JAX. Prints a report and writes it as JSON. See benchmarks/README.md.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { input, ParameterScope, scalar } from '@dalle-mini/graph';
import type { Measurement } from '../src/measurement.js';
import { benchmarks, type ModelName } from '../src/models.js';
import { flopsOf } from '../src/work.js';
import type { OperatorReport } from './operators.js';

const usage = `Usage: node check.js [options]

  --device NAME    cuda, cpu or tpu. Default cuda
  --python PATH    a Python with PyTorch, JAX and optax; its packages may have the plugin. Without it, nothing is compared
  --steps N        steps of each measurement, a multiple of 5. Default 50
  --warmup N       steps before them, a multiple of 5. Default 10
  --seconds N      time for everything: what would begin later is left out. Default 330
  --out FILE       the report as JSON`;

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    python: { type: 'string' },
    steps: { type: 'string', default: '50' },
    warmup: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '330' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit();
}
const { device, python } = options;
const here = import.meta.dirname;
const start = performance.now();
const secondsLeft = () => Number(options.seconds) - (performance.now() - start) / 1000;
const environment = python === undefined ? process.env : environmentOf(python);

/** Peak rates of matrix products in TFLOP/s, without sparsity, by the first words of a device's name. */
const peaks: Readonly<Record<string, { readonly float32: number; readonly bfloat16: number }>> = {
  'NVIDIA H200': { float32: 67, bfloat16: 989 },
  'NVIDIA H100': { float32: 67, bfloat16: 989 },
  'NVIDIA A100': { float32: 19.5, bfloat16: 312 },
};

type Precision = 'float32' | 'bfloat16';

interface MeasuredRun {
  readonly model: ModelName;
  readonly precision: Precision;
  /** Undefined if the program failed or the time did not suffice. */
  readonly measurement?: Measurement;
  readonly problem?: string;
  readonly contender: string;
  /** Share of the device's peak rate. */
  readonly mfu?: number;
}

const operators = attempt<OperatorReport>(process.execPath, join(here, 'operators.js'), {
  device,
  references: join(here, 'references.json'),
  seconds: String(Math.max(1, Math.min(90, secondsLeft() / 3))),
});
const kind = 'result' in operators ? operators.result.devices[0]! : device;
console.log(operatorText());

const runs: MeasuredRun[] = [];
for (const contender of ['here', 'torch', 'jax', 'torch compiled']) {
  if (contender !== 'here' && python === undefined) continue;
  for (const precision of ['bfloat16', 'float32'] as const)
    for (const model of ['decoder', 'vqgan'] as const) runs.push(measure(contender, model, precision));
}
printTable();
if (options.out !== undefined) {
  const report = { date: new Date().toISOString(), device: kind, processor: cpus()[0]?.model, operators, runs };
  writeFileSync(options.out, `${JSON.stringify(report, undefined, 2)}\n`);
}

function measure(contender: string, model: ModelName, precision: Precision): MeasuredRun {
  const run = { contender, model, precision };
  const shared = { device, steps: options.steps, warmup: options.warmup, threads: String(cpus().length) };
  const attempted =
    contender === 'here'
      ? attempt<Measurement>(process.execPath, join(here, 'train-here.js'), {
          ...shared,
          model,
          runtime: 'xla',
          compute: precision,
          'steps-per-run': '5',
        })
      : attempt<Measurement>(
          python!,
          join(here, 'peers', `train_${model}${contender === 'jax' ? '_jax' : ''}.py`),
          { ...shared, dtype: precision },
          contender === 'torch compiled' ? ['--compile'] : [],
        );
  if ('problem' in attempted) return { ...run, problem: attempted.problem };
  const measurement = attempted.result;
  const peak = Object.entries(peaks).find(([name]) => kind.startsWith(name))?.[1][precision];
  // The backward pass has twice the operations of the forward pass.
  const rate = (3 * forwardFlops(model)) / (measurement.step_ms / 1000);
  return { ...run, measurement, ...(peak === undefined ? {} : { mfu: rate / (peak * 1e12) }) };
}

/** Operations of the forward pass of a benchmark. */
function forwardFlops(model: ModelName): number {
  const { batch, loss } = benchmarks[model].training;
  const inputs = Object.fromEntries(
    Object.entries(batch).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  );
  return flopsOf({ inputs, outputs: { loss: loss(new ParameterScope(), inputs, scalar(0, 'int32')).loss } });
}

/** Runs a program, and parses the last line of its output. */
function attempt<Result>(
  interpreter: string,
  path: string,
  named: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): { readonly result: Result } | { readonly problem: string } {
  if (secondsLeft() < 5) return { problem: 'no time left' };
  const args = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
  try {
    const printed = execFileSync(interpreter, [path, ...args, ...flags], {
      encoding: 'utf8',
      // Python would write compiled modules next to the peers.
      env: { ...(interpreter === process.execPath ? environment : process.env), PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: Math.ceil(1000 * secondsLeft()),
      maxBuffer: 2 ** 26,
    });
    return { result: JSON.parse(printed.trim().split('\n').at(-1)!) as Result };
  } catch (error) {
    const { stderr, signal, message } = error as Error & { readonly stderr?: string; readonly signal?: string };
    const lines = stderr?.trim().split('\n').slice(-3).join(' ');
    return { problem: signal ? `ended by ${signal}` : (lines || message).slice(0, 600) };
  }
}

/** Returns the environment in which this project finds the plugin of a Python, and the plugin its libraries. */
function environmentOf(python: string): NodeJS.ProcessEnv {
  const packages = execFileSync(python, ['-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])'], {
    encoding: 'utf8',
  }).trim();
  const nvidia = join(packages, 'nvidia');
  const folders = existsSync(nvidia) ? readdirSync(nvidia).map((name) => join(nvidia, name)) : [];
  const libraries = folders.map((folder) => join(folder, 'lib')).filter((folder) => existsSync(folder));
  const toolkit = [...folders, '/usr/local/cuda'].find((folder) => existsSync(join(folder, 'bin', 'ptxas')));
  const { PYTHONPATH, LD_LIBRARY_PATH, XLA_FLAGS } = process.env;
  const joined = (parts: readonly (string | undefined)[], separator: string) =>
    parts.filter((part) => part !== undefined && part !== '').join(separator);
  return {
    ...process.env,
    PYTHONPATH: joined([packages, PYTHONPATH], ':'),
    LD_LIBRARY_PATH: joined([...libraries, LD_LIBRARY_PATH], ':'),
    ...(device === 'cuda' && toolkit !== undefined
      ? { XLA_FLAGS: joined([XLA_FLAGS, `--xla_gpu_cuda_data_dir=${toolkit}`], ' ') }
      : {}),
  };
}

function operatorText(): string {
  if ('problem' in operators) return `operators: ${operators.problem}`;
  const { devices, plugin, version, passed, failed, left, seconds } = operators.result;
  const problems = Object.entries(failed).map(([name, problem]) => `\n  ${name}: ${problem}`);
  return (
    `${devices.length} × ${devices[0]}, PJRT ${version}, ${plugin}\n` +
    `operators: ${passed} agree with ONNX Runtime, ${problems.length} do not, ${left} were left out, in ${seconds.toFixed(0)} s${problems.join('')}`
  );
}

function printTable(): void {
  for (const { model, precision, contender, measurement, problem, mfu } of runs) {
    const name = `${model}, ${precision}, ${contender}`.padEnd(36);
    if (!measurement) {
      console.log(`${name} ${problem}`);
      continue;
    }
    const { engine, step_ms, per_second, unit, losses } = measurement;
    const share = mfu === undefined ? '' : `, MFU ${(100 * mfu).toFixed(1)} %`;
    const fall = `loss ${losses[0]!.toFixed(3)} → ${losses.at(-1)!.toFixed(3)}`;
    console.log(`${name} ${step_ms.toFixed(2)} ms, ${per_second.toFixed(0)} ${unit}/s${share}, ${fall} (${engine})`);
  }
}
