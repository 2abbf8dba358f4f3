/**
 * Measures what 12 million rows cost without their images: how long a data set takes from the start of the program to the first download, for the first time,
 * which reads the whole list, and when a program that was stopped near the end is started again; and the memory. See README.md.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeReport } from './processes.js';

const usage = `Usage: npm run -w benchmarks plan -- [options]

  --rows N                rows of the list. Default 12000000
  --done N                share of the shards, 0 to 1, that are written when the program starts again. Default 0.9
  --work FOLDER           a folder with room for 100 bytes a row. Default: that for temporary files
  --out FILE              writes everything that was measured as JSON

It needs Linux.`;

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '12000000' },
    done: { type: 'string', default: '0.9' },
    work: { type: 'string', default: tmpdir() },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(usage);
  process.exit();
}

/** A start of the program: until its first download. */
interface Start {
  readonly seconds: number;
  readonly cpu_seconds: number;
  readonly peak_rss_mb: number;
}

const rows = Number(options.rows);
const shardSize = 10_000;
const work = mkdtempSync(join(options.work, 'plan-benchmark-'));
/** Called with the first request after a start. */
let onRequest: (() => void) | undefined;
const server = createServer(() => onRequest?.());
server.listen(0, '127.0.0.1');
await once(server, 'listening');
try {
  const list = join(work, 'list.tsv');
  await writeList(list, (server.address() as AddressInfo).port);
  const first = await start(list);
  writeShards(Math.floor(Number(options.done) * Math.ceil(rows / shardSize)));
  const again = await start(list);
  const figures = { rows, listBytes: statSync(list).size, done: Number(options.done), first, again };
  console.log(
    `${rows} rows, ${(figures.listBytes / 1e6).toFixed(0)} MB. First download after ${first.seconds.toFixed(1)} s ` +
      `(${first.cpu_seconds.toFixed(1)} s of a processor, ${first.peak_rss_mb.toFixed(0)} MB); started again with ${100 * figures.done} % ` +
      `of the shards written, after ${again.seconds.toFixed(1)} s (${again.cpu_seconds.toFixed(1)} s, ${again.peak_rss_mb.toFixed(0)} MB).`,
  );
  if (options.out !== undefined) writeReport(options.out, figures);
} finally {
  server.closeAllConnections();
  server.close();
  rmSync(work, { recursive: true });
}

/** Writes a list in the format of Conceptual 12M, with captions of its mean length. */
async function writeList(path: string, port: number): Promise<void> {
  const file = createWriteStream(path);
  const atOnce = 100_000;
  for (let start = 0; start < rows; start += atOnce) {
    const lines = Array.from({ length: Math.min(atOnce, rows - start) }, (_, i) => {
      const row = start + i;
      return `http://127.0.0.1:${port}/${row}.jpg\ta photo number ${row} of a house with a garden and two trees in front of it\n`;
    });
    if (!file.write(lines.join(''))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
}

/** Starts the program, and ends it at its first download. */
async function start(list: string): Promise<Start> {
  const program = fileURLToPath(new URL('plan-here.js', import.meta.url));
  const began = performance.now();
  const child = spawn(process.execPath, [program, list, join(work, 'out'), String(shardSize)], { stdio: 'inherit' });
  const requested = new Promise<Start>((resolve) => {
    onRequest = () => {
      onRequest = undefined;
      resolve({ seconds: (performance.now() - began) / 1000, ...usageOf(child) });
    };
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The program ended with code ${code} before its first download.`);
  });
  const measured = await Promise.race([requested, ended]);
  child.kill('SIGKILL');
  await ended.catch(() => undefined);
  return measured;
}

function usageOf({ pid }: ChildProcess): Omit<Start, 'seconds'> {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may have spaces: fields 14 and 15, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return { cpu_seconds: (Number(fields[11]) + Number(fields[12])) / 100, peak_rss_mb: Number(peak) / 1024 };
}

/** Writes the counts of shards, which tell that they are written. */
function writeShards(count: number): void {
  const stats = {
    count: shardSize,
    successes: shardSize,
    failed_to_download: 0,
    failed_to_resize: 0,
    duration: 60,
    start_time: 0,
    end_time: 60,
    status_dict: { success: shardSize },
  };
  for (let shard = 0; shard < count; shard++)
    writeFileSync(join(work, 'out', `${String(shard).padStart(5, '0')}_stats.json`), JSON.stringify(stats));
}
