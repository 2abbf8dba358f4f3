/**
 * Trains in a process that may kill itself with SIGKILL:
 * `node training-process.js <vqgan|adversarial|decoder> <folder> [<runs of the graph before> <milliseconds after that>]`.
 */
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { adversarialRun, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';

const [kind, folder = '', runs, delay] = process.argv.slice(2);
const runtime = new OnnxRuntime({ threads: 1 });
let left = Number(runs);
const onProgress = () => {
  if (--left === 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(delay));
};
const vqgan = { vqgan: vqganRun, adversarial: adversarialRun }[kind!];
if (vqgan) await trainVqgan({ ...vqgan, folder, runtime, onProgress });
else await trainDecoder({ ...decoderRun, folder, runtime, onProgress });
await runtime.dispose();
