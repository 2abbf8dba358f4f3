/**
 * Trains in a process that may kill itself with SIGKILL:
 * `node training-process.js <vqgan|decoder> <folder> [<runs of the graph before> <milliseconds after that>]`.
 */
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';

const [kind, folder = '', runs, delay] = process.argv.slice(2);
const runtime = new OnnxRuntime({ threads: 1 });
let left = Number(runs);
const onProgress = () => {
  if (--left === 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(delay));
};
if (kind === 'vqgan') await trainVqgan({ ...vqganRun, folder, runtime, onProgress });
else await trainDecoder({ ...decoderRun, folder, runtime, onProgress });
await runtime.dispose();
