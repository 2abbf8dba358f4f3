/**
 * Trains together with the processes that mpirun starts, of which one may kill itself:
 * `node hosts-process.js <vqgan|adversarial|decoder> <folder> <steps> [<rank> <runs of the graph before> <milliseconds after that>]`.
 */
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { joinHosts } from '@dalle-mini/hosts';
import { decoderRun, shortAdversarialRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';

const [kind, folder = '', steps, rank, runs, delay] = process.argv.slice(2);
const hosts = await joinHosts();
let left = hosts.rank === Number(rank) ? Number(runs) : 0;
const onProgress = () => {
  if (--left === 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(delay));
};
try {
  const runtime = new OnnxRuntime({ threads: 1 });
  const options = { folder, runtime, hosts, onProgress, steps: Number(steps) };
  const vqgan = { vqgan: vqganRun, adversarial: shortAdversarialRun }[kind!];
  if (vqgan) await trainVqgan({ ...vqgan, ...options });
  else await trainDecoder({ ...decoderRun, ...options });
  await runtime.dispose();
  await hosts.close();
} catch (error) {
  process.stderr.write(`${hosts.nameOf(hosts.rank)}: ${(error as Error).message}\n`);
  await hosts.abort((error as Error).message);
}
