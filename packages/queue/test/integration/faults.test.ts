import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type PrepareSettings, prepare } from '@dalle-mini/prepare';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { ending } from '@dalle-mini/testing/processes';
import { varyingRandom } from '@dalle-mini/testing/random';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canIsolate, IsolatedMachines, SmallDisk } from '../isolated-machines.js';

const redisServer = process.env.REDIS_SERVER ?? 'redis-server';
const hasRedis = spawnSync(redisServer, ['--version']).status === 0;
const packageFolder = fileURLToPath(new URL('../..', import.meta.url));

/** More of both make a longer test: FAULT_RUNS=20 FAULT_SHARDS=200. */
const runs = Number(process.env.FAULT_RUNS ?? 1);
const shardTotal = Number(process.env.FAULT_SHARDS ?? 24);
const machineCount = 4;
const rowsPerShard = 8;
/** Milliseconds after which a worker that hangs loses its shards. */
const lockDuration = 2000;
const redisPort = 16_379;

const coordinatorProgram = `
  const { givenUp } = await coordinate(settings, { redis, pollEvery: 200 });
  if (givenUp.length > 0) throw new Error(JSON.stringify(givenUp));`;
const workerProgram = 'await work(settings, { redis, shards: 2, lockDuration, pollEvery: 200 });';

/** A fault at a time when some shards are written. */
interface Fault {
  readonly name: string;
  readonly atShards: number;
  readonly run: () => Promise<unknown>;
}

describe.skipIf(!hasRedis || !canIsolate())('faults of machines (needs redis-server and root)', () => {
  let machines: IsolatedMachines;
  let images: Server;
  let disk: SmallDisk;

  beforeAll(async () => {
    machines = new IsolatedMachines(machineCount);
    disk = new SmallDisk(await temporaryFolder(), 64);
    images = createServer(async ({ url }, response) => {
      const seed = Number(url!.slice(1));
      await sleep(20 + ((seed * 37) % 150));
      if (seed % 11 === 3) return response.writeHead(404).end('gone');
      if (seed % 13 === 5) return response.end('<!doctype html><title>An error page with status 200</title>');
      const background = { r: (seed * 5) % 256, g: 255 - (seed % 256), b: 90 };
      response.end(
        await sharp({ create: { width: 40, height: 40, channels: 3, background } })
          .jpeg()
          .toBuffer(),
      );
    });
    images.listen(0, machines.address);
    await once(images, 'listening');
  });
  afterAll(async () => {
    images.closeAllConnections();
    await new Promise((resolve) => images.close(resolve));
    machines.remove();
    disk.remove();
  });

  async function settingsIn(folder: string): Promise<PrepareSettings> {
    const list = join(await temporaryFolder(), 'list.tsv');
    const { port } = images.address() as AddressInfo;
    // The last shard has fewer rows.
    const rows = Array.from(
      { length: shardTotal * rowsPerShard - 3 },
      (_, i) => `http://${machines.address}:${port}/${i}\tcaption ${i}\n`,
    );
    await writeFile(list, rows.join(''));
    const download = { allowedAddresses: [machines.range], connections: 4, timeout: 5, connectTimeout: 2 };
    return { preset: 'cc12m', lists: [list], out: join(folder, 'out'), shardSize: rowsPerShard, download };
  }

  /** Hashes of the files of a data set, without those that have times. */
  async function hashesOf(folder: string): Promise<Record<string, string>> {
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    const hasTimes = (name: string) => /_stats\.json$|\.html$/.test(name);
    const files = Object.entries(await contentOf(folder));
    return Object.fromEntries(files.map(([name, bytes]) => [name, hasTimes(name) ? 'has times' : hash(bytes)]));
  }

  /** Runs a program again until it ends well, as a service manager does. */
  class Service {
    private child: ChildProcess | undefined;
    readonly done: Promise<void>;

    constructor(start: () => ChildProcess) {
      this.done = this.run(start);
    }

    kill(signal: NodeJS.Signals): void {
      this.child?.kill(signal);
    }

    private async run(start: () => ChildProcess): Promise<void> {
      for (;;) {
        this.child = start();
        const { code, stderr } = await ending(this.child);
        if (code === 0) return;
        if (code !== 'SIGKILL') log(`ended with ${code}: ${stderr.trim().split('\n').slice(0, 6).join(' / ')}`);
        await sleep(500);
      }
    }
  }

  const log = (text: string) => process.env.FAULT_LOG && console.log(text);

  /** Starts a program, on a machine of the network or on this one. */
  function start(program: string, settings: PrepareSettings, machine?: number): ChildProcess {
    const source = `
      import { coordinate, work } from '@dalle-mini/queue';
      const [settings, redis, lockDuration] = ${JSON.stringify([settings, redis(), lockDuration])};
      ${program}`;
    const prefix = machine === undefined ? [] : machines.command(machine);
    const [command, ...args] = [...prefix, process.execPath, '--input-type=module', '--eval', source];
    const env = { ...process.env, TMPDIR: join(disk.folder, 'tmp') };
    return spawn(command!, args, { cwd: packageFolder, stdio: ['ignore', 'pipe', 'pipe'], env });
  }

  const redis = () => `redis://${machines.address}:${redisPort}`;

  test.each(Array.from({ length: runs }, (_, run) => run))(
    'lose no shard, and change no byte of one (run %i)',
    async (run) => {
      const random = varyingRandom('faults', run);
      const folder = join(disk.folder, String(run));
      for (const made of [folder, join(folder, 'out'), join(disk.folder, 'tmp')])
        await mkdir(made, { recursive: true });
      const settings = await settingsIn(folder);
      const expected = join(await temporaryFolder(), 'expected');
      await prepare({ ...settings, out: expected });

      const redisFolder = await temporaryFolder();
      const startRedis = () =>
        spawn(
          redisServer,
          ['--port', String(redisPort), '--bind', machines.address, '--appendonly', 'yes', '--protected-mode', 'no'],
          {
            cwd: redisFolder,
            stdio: 'ignore',
          },
        );
      let redisProcess = startRedis();
      const coordinator = new Service(() => start(coordinatorProgram, settings));
      const workers = Array.from(
        { length: machineCount },
        (_, machine) => new Service(() => start(workerProgram, settings, machine)),
      );

      const anyWorker = () => random.integer(machineCount);
      const pause = (least: number, most: number) => sleep(least + random.uniform() * (most - least));
      const faults: Fault[] = [
        fault('kill -9 of a worker', async () => workers[anyWorker()]!.kill('SIGKILL')),
        fault('kill -9 of the coordinator', async () => coordinator.kill('SIGKILL')),
        fault('SIGSTOP of a worker', async () => {
          const worker = workers[anyWorker()]!;
          worker.kill('SIGSTOP');
          await pause(lockDuration / 2, lockDuration * 4);
          worker.kill('SIGCONT');
        }),
        fault('a full disk', async () => {
          await disk.fill();
          await pause(100, 2000);
          await disk.free();
        }),
        fault('a restart of Redis', async () => {
          redisProcess.kill('SIGKILL');
          await once(redisProcess, 'exit');
          await pause(0, 4000);
          redisProcess = startRedis();
        }),
        fault('a network cut', async () => {
          const machine = anyWorker();
          machines.connect(machine, false);
          await pause(500, 15_000);
          machines.connect(machine, true);
        }),
      ];
      function fault(name: string, run: Fault['run']): Fault {
        return { name, atShards: random.integer(Math.floor(shardTotal * 0.8)), run };
      }

      const written = async () => (await readdir(settings.out)).filter((name) => name.endsWith('_stats.json')).length;
      const running = faults.map(async ({ name, atShards, run }) => {
        while ((await written()) < atShards) await sleep(20);
        log(`${name} at ${atShards} shards`);
        await run();
        log(`${name} is over`);
      });
      await Promise.all([...running, coordinator.done, ...workers.map(({ done }) => done)]);
      redisProcess.kill();
      expect(await hashesOf(settings.out)).toEqual(await hashesOf(expected));
      // The next run needs the disk.
      await rm(folder, { recursive: true });
    },
    600_000,
  );
});
