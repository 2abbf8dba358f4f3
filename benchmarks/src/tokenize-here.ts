/** Encodes or decodes images with the VQ-GAN, in a process of its own: prints its times as one JSON line, as the program in `peers/` does. */
import { parseArgs } from 'node:util';
import { createRandom, initializeParameters, sampleInteger } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { VqganTokenizer, vqganParameters, vqganPresets } from '@dalle-mini/vqgan';
import type { GenerateMeasurement } from './measurement.js';

const { values: options } = parseArgs({
  options: {
    task: { type: 'string' },
    images: { type: 'string' },
    threads: { type: 'string' },
    calls: { type: 'string' },
  },
});
const [count, threads, calls] = [options.images, options.threads, options.calls].map(Number) as [
  number,
  number,
  number,
];
const task = options.task as 'encode' | 'decode';

const config = vqganPresets['f16-16384'];
const random = createRandom(0);
const integers = (length: number, below: number) => Array.from({ length }, () => sampleInteger(random, below));
const parameters = initializeParameters(vqganParameters(config), random);
const { resolution: size, nEmbed } = config;
const images = Array.from({ length: count }, () => ({
  width: size,
  height: size,
  data: Uint8Array.from(integers(3 * size * size, 256)),
}));

const started = performance.now();
const runtime = new OnnxRuntime({ threads });
const tokenizer = new VqganTokenizer(config, parameters, runtime);
const grids = images.map(() => Int32Array.from(integers(tokenizer.gridSize ** 2, nEmbed)));
const work = () => (task === 'encode' ? tokenizer.encode(images) : tokenizer.decode(grids));
const measured: Record<string, number>[] = [];
// The first call compiles.
for (let call = 0; call <= calls; call++) {
  const start = performance.now();
  await work();
  measured.push({ [task]: performance.now() - start });
}
const [first, ...rounds] = measured;
const result: GenerateMeasurement = {
  engine: 'this project',
  load_ms: performance.now() - started - rounds.reduce((sum, round) => sum + round[task]!, 0),
  first: first!,
  rounds,
  peak_rss_mb: process.resourceUsage().maxRSS / 1024,
};
console.log(JSON.stringify(result));
await tokenizer.dispose();
await runtime.dispose();
