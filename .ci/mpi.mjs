/**
 * Trains by the command line on two hosts with addresses of their own: two network namespaces of this computer, which a cable joins, with
 * Open MPI. Usage, after a build: node .ci/mpi.mjs. Needs Linux, root, ip of iproute2 and mpirun of Open MPI; elsewhere it does nothing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import sharp from 'sharp';
import { check, execute, root } from './checks.mjs';

const succeeds = (command, ...args) => spawnSync(command, args).status === 0;
const [first, second] = ['a', 'b'].map((letter) => `dalle-mini-${process.pid}-${letter}`);
const mpirun = ['mpirun.openmpi', 'mpirun'].find((name) =>
  /Open MPI/.test(spawnSync(name, ['--version']).stdout ?? ''),
);
const missing =
  process.platform !== 'linux'
    ? 'Linux'
    : mpirun === undefined
      ? 'mpirun of Open MPI'
      : succeeds('ip', 'netns', 'add', first)
        ? undefined
        : 'the right to make network namespaces';
if (missing !== undefined) {
  console.log(`not run: training on two hosts, which needs ${missing}`);
  process.exit();
}

const addresses = ['10.207.0.1', '10.207.0.2'];
const folder = mkdtempSync(join(tmpdir(), 'dalle-mini-mpi-'));
const ip = (...args) => execute('ip', args);
try {
  ip('netns', 'add', second);
  ip('link', 'add', 'cable', 'netns', first, 'type', 'veth', 'peer', 'name', 'cable', 'netns', second);
  for (const [i, namespace] of [first, second].entries()) {
    ip('-n', namespace, 'address', 'add', `${addresses[i]}/24`, 'dev', 'cable');
    for (const device of ['lo', 'cable']) ip('-n', namespace, 'link', 'set', device, 'up');
  }
  await checkTraining();
} finally {
  for (const namespace of [first, second]) {
    const pids = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).stdout.split('\n');
    for (const pid of pids.filter(Boolean)) succeeds('kill', '-9', pid);
    succeeds('ip', 'netns', 'delete', namespace);
  }
  rmSync(folder, { recursive: true });
}

async function checkTraining() {
  mkdirSync(join(folder, 'pictures'));
  for (const [i, background] of ['red', 'green', 'blue', 'yellow', 'black', 'orange'].entries()) {
    const picture = sharp({ create: { width: 20, height: 16, channels: 3, background } });
    await picture.png().toFile(join(folder, 'pictures', `${i}.png`));
    writeFileSync(join(folder, 'pictures', `${i}.txt`), `${background}\n`);
  }
  const model = {
    resolution: 16,
    ch: 8,
    chMult: [1, 2],
    numResBlocks: 1,
    attnResolutions: [],
    zChannels: 8,
    embedDim: 4,
    nEmbed: 32,
  };
  const settings = {
    steps: 60,
    checkpointEvery: 10,
    evaluateEvery: 60,
    dataset: { type: 'folder', path: 'pictures', crop: 'random' },
    model: { ...model, inChannels: 3, normGroups: 4 },
    // Slowly, and without restarts of codes: a rounding error may change which code is the nearest, and which restarts.
    training: { batchSize: 4, stepsPerRun: 5, learningRate: 0.0001, warmUpSteps: 2, restartEvery: 0 },
  };
  writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings));
  // mpirun starts the other host as it would by ssh: `agent HOST COMMAND`.
  const agent = join(folder, 'agent');
  writeFileSync(agent, `#!/bin/sh\nshift\nexec ${entering(second, 'host-b').join(' ')} sh -c "$*"\n`);
  chmodSync(agent, 0o755);

  const alone = join(folder, 'alone');
  execute(process.execPath, trainArguments(alone), { cwd: folder });

  await check('mpi: two hosts train as one does', async () => {
    const { code, output } = await ending(start('together'));
    if (code !== 0) throw new Error(output);
    compareLosses('together');
  });

  await check('mpi: a host that is killed ends the run with a message, and it resumes on one host', async () => {
    const run = start('killed');
    const ended = ending(run);
    while (!existsSync(join(folder, 'killed/checkpoint-00000020.safetensors')) && run.exitCode === null)
      await setTimeout(10);
    const pids = execute('ip', ['netns', 'pids', second]).split('\n').filter(Boolean);
    const node = pids.find(
      (pid) => /dalle-mini\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')) && isNode(pid),
    );
    process.kill(Number(node), 'SIGKILL');
    const { code, output } = await Promise.race([
      ended,
      setTimeout(30_000, { code: 0, output: 'It did not end within 30 s.' }),
    ]);
    if (code === 0 || !/rank 1.*host-b|host-b.*rank 1/is.test(output) || !/lost|killed/i.test(output))
      throw new Error(output);
    if (existsSync(join(folder, 'killed/vqgan'))) throw new Error('It must not have ended before the host was killed.');
    execute(process.execPath, trainArguments(join(folder, 'killed')), { cwd: folder });
    compareLosses('killed');
  });
}

/** Checks whether a process is Node.js, not the shell that started it. */
function isNode(pid) {
  return readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('node');
}

/** The command that enters a namespace, under a name of its own as another host has. */
function entering(namespace, name) {
  return ['unshare', '--uts', 'sh', '-c', `'hostname ${name}; exec ip netns exec ${namespace} "$@"'`, 'sh'];
}

function trainArguments(run) {
  const bin = join(root, 'packages/cli/bin/dalle-mini.js');
  return [bin, 'train', 'vqgan', '--config', join(folder, 'settings.json'), '--folder', run];
}

/** Starts training on both hosts. */
function start(run) {
  const options = `--host ${addresses.join(',')} -n 2 --mca plm_rsh_agent ${join(folder, 'agent')} --bind-to none --oversubscribe`;
  const network = '--mca btl tcp,self --mca btl_tcp_if_include cable --mca oob_tcp_if_include cable';
  const command = `${entering(first, 'host-a').join(' ')} ${mpirun} ${options} ${network} ${process.execPath} "$@"`;
  return spawn('sh', ['-c', command, 'sh', ...trainArguments(join(folder, run))], {
    cwd: folder,
    env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ending(child) {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return { code: code ?? 1, output };
}

/** Compares the losses of a run with those of one host. */
function compareLosses(run) {
  const [expected, actual] = ['alone', run].map((name) =>
    readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).loss),
  );
  const differences = expected.map((loss, i) => Math.abs(loss - (actual[i] ?? Number.NaN)));
  const largest = Math.max(...differences);
  if (!(largest < 1e-4) || actual.length !== expected.length)
    throw new Error(`The losses must be those of one host to 1e-4. They differ by up to ${largest}.`);
  console.log(`    largest difference of ${actual.length} losses: ${largest.toExponential(1)}`);
}
