/**
 * Downloads images of a local server into shards, alternately here and with img2dataset, each in a separate process on the same processors,
 * with the same settings. Prints a comparison. See README.md.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { DownloadMeasurement } from './measurement.js';
import { interpreterOf, median, writeReport } from './processes.js';

const usage = `Usage: npm run -w benchmarks download -- [options]

  --python PATH           a Python with img2dataset; without it, only this project is measured
  --count N               images of the list. Default 5000
  --peer-count N          images of the list for img2dataset. Default the same
  --megapixels N          mean size of the images. Default 0.66
  --shared                all processors serve and download. Default: the last one serves, and the others download
  --rounds N              downloads of each side, in turns. Default 1
  --connections N         downloads at a time. Default 256
  --timeout N             seconds of a download. Default 5
  --out FILE              writes everything that was measured as JSON

It needs Linux.`;

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    count: { type: 'string', default: '5000' },
    'peer-count': { type: 'string' },
    megapixels: { type: 'string', default: '0.66' },
    shared: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '256' },
    timeout: { type: 'string', default: '5' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(usage);
  process.exit();
}

/** A download with what the system says of its processes and of the server. */
interface Run extends DownloadMeasurement {
  /** Resident memory of all processes, in MB, each second. */
  readonly memory: readonly number[];
  /** The mean of the first and of the last quarter of these. */
  readonly memory_quarters: { readonly first: number; readonly last: number };
  /** Share of a processor that the server used. If it is near 1, the server is the bound. */
  readonly server_load: number;
}

const cores = availableParallelism();
const clients = options.shared ? cores : Math.max(1, cores - 1);
const work = mkdtempSync(join(tmpdir(), 'download-benchmark-'));
const serving = options.shared ? Array.from({ length: cores }, (_, i) => i) : [cores - 1];
const server = start([process.execPath, pathOf('image-server.js'), options.megapixels], serving);
try {
  const [port] = (await once(server.stdout!, 'data')) as [Buffer];
  const listOf = (count: number) => {
    const list = join(work, `list-${count}.tsv`);
    const rows = Array.from({ length: count }, (_, i) => `http://127.0.0.1:${Number(port)}/${i}\tcaption of ${i}`);
    writeFileSync(list, `url\tcaption\n${rows.join('\n')}\n`);
    return list;
  };
  const programs = [{ program: [process.execPath, pathOf('download-here.js')], list: listOf(Number(options.count)) }];
  if (options.python !== undefined)
    programs.push({
      program: [interpreterOf(options.python), pathOf('../peers/download_img2dataset.py')],
      list: listOf(Number(options['peer-count'] ?? options.count)),
    });
  const rounds: Run[][] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const runs: Run[] = [];
    for (const { program, list } of programs) runs.push(await measure(program, list));
    rounds.push(runs);
  }
  print(rounds);
  const { out, python, ...settings } = options;
  if (out !== undefined) writeReport(out, { options: settings, clients, rounds });
} finally {
  server.kill();
  rmSync(work, { recursive: true });
}

function pathOf(program: string): string {
  return fileURLToPath(new URL(program, import.meta.url));
}

/** Starts a program on some processors. */
function start(command: readonly string[], processors: readonly number[]): ChildProcess {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  return spawn('taskset', ['-c', processors.join(), ...command], { stdio: ['ignore', 'pipe', 'inherit'], env });
}

async function measure(program: readonly string[], list: string): Promise<Run> {
  const out = join(work, 'out');
  const { connections, timeout } = options;
  const settings = { list, out, connections, timeout, shard: 1000, processes: clients };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const serverBefore = processorSeconds(server.pid!);
  const child = start(
    [...program, ...args],
    Array.from({ length: clients }, (_, i) => i),
  );
  let printed = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const memory: number[] = [];
  const timer = setInterval(() => memory.push(residentMegabytes(child.pid!)), 1000);
  const [code] = (await once(child, 'close')) as [number];
  clearInterval(timer);
  if (code !== 0) throw new Error(`${program.join(' ')} ended with code ${code}.`);
  rmSync(out, { recursive: true });
  const measurement = JSON.parse(printed.trim().split('\n').at(-1)!) as DownloadMeasurement;
  const server_load = (processorSeconds(server.pid!) - serverBefore) / measurement.seconds;
  return { ...measurement, memory, memory_quarters: quartersOf(memory), server_load };
}

/** Returns the means of the first and of the last quarter. */
function quartersOf(values: readonly number[]): { first: number; last: number } {
  const quarter = Math.max(1, Math.floor(values.length / 4));
  const mean = (part: readonly number[]) => part.reduce((sum, value) => sum + value, 0) / Math.max(1, part.length);
  return { first: mean(values.slice(0, quarter)), last: mean(values.slice(-quarter)) };
}

/** The fields of `/proc/PID/stat` after the name, which may have spaces. */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function processorSeconds(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Adds up the memory of a process and its children. What they share is counted for each. */
function residentMegabytes(pid: number): number {
  const parents = new Map<number, number>();
  const pages = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = statOf(Number(name));
      parents.set(Number(name), Number(fields[1]));
      pages.set(Number(name), Number(fields[21]));
    } catch {
      // It has ended.
    }
  }
  const isOurs = (one: number | undefined): boolean => one === pid || (one !== undefined && isOurs(parents.get(one)));
  const own = [...pages].filter(([one]) => isOurs(one));
  return own.reduce((sum, [, count]) => sum + count * 4096, 0) / 2 ** 20;
}

function print(rounds: readonly (readonly Run[])[]): void {
  console.log(
    `${options.count} rows, ${options.megapixels} megapixels, ${options.connections} connections, ` +
      `${clients} of ${cores} processors for the download, ${serving.length} for the server\n`,
  );
  console.log(
    '| | images | images/s | speed ÷ img2dataset | processor ms an image | of them JavaScript | memory, MB: first quarter | last quarter | highest | server load |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const [side, { engine, images }] of rounds[0]!.entries()) {
    const runs = rounds.map((round) => round[side]!);
    const middle = (figure: (run: Run) => number) => median(runs.map(figure));
    const ratios = rounds.filter((round) => round.length > 1).map(([own, other]) => speedOf(own!) / speedOf(other!));
    const milliseconds = (seconds: (run: Run) => number) => middle((run) => (1000 * seconds(run)) / run.images);
    const cells = [
      engine,
      images,
      middle(speedOf).toFixed(0),
      side === 0 && ratios.length > 0 ? median(ratios).toFixed(2) : '',
      milliseconds((run) => run.cpu_seconds).toFixed(1),
      side === 0 ? milliseconds((run) => run.main_thread_seconds ?? 0).toFixed(1) : '',
      middle(({ memory_quarters }) => memory_quarters.first).toFixed(0),
      middle(({ memory_quarters }) => memory_quarters.last).toFixed(0),
      middle(({ memory }) => Math.max(0, ...memory)).toFixed(0),
      middle(({ server_load }) => server_load).toFixed(2),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  for (const { engine, problems } of rounds[0]!) console.log(`\n${engine}: ${JSON.stringify(problems)}`);
}

function speedOf({ images, seconds }: Run): number {
  return images / seconds;
}
