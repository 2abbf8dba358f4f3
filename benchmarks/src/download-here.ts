/** Downloads the images of a list in a separate process. Prints its figures as a JSON line, as the program in `peers/` does. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { prepare } from '@dalle-mini/prepare';
import sharp from 'sharp';
import type { DownloadMeasurement } from './measurement.js';

const { values: options } = parseArgs({
  options: {
    list: { type: 'string' },
    out: { type: 'string' },
    connections: { type: 'string' },
    timeout: { type: 'string' },
    shard: { type: 'string' },
    processes: { type: 'string' },
  },
});
const connections = Number(options.connections);
// As the command line does.
sharp.concurrency(1);
const started = performance.now();
const { successes, rows, problems } = await prepare({
  lists: [options.list!],
  out: options.out!,
  shardSize: Number(options.shard),
  download: {
    connections,
    connectionsPerHost: connections,
    timeout: Number(options.timeout),
    retries: 0,
    allowedAddresses: ['127.0.0.1/32'],
  },
  pictures: { size: 256, resize: 'keep-ratio', quality: 95 },
});
const seconds = (performance.now() - started) / 1000;
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
const measurement: DownloadMeasurement = {
  engine: 'this project',
  rows,
  images: successes,
  problems,
  seconds,
  cpu_seconds: (userCPUTime + systemCPUTime) / 1e6,
  main_thread_seconds: mainThreadSeconds(),
  peak_rss_mb: maxRSS / 1024,
};
console.log(JSON.stringify(measurement));

/** Processor time of the thread that runs JavaScript; images are decoded in others. Linux only. */
function mainThreadSeconds(): number {
  const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8');
  // After the name, which may have spaces: fields 14 and 15, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
