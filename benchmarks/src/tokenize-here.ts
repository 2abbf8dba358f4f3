/** Encodes or decodes images with the VQ-GAN in a separate process. Prints its times as a JSON line, as the program in `peers/` does. */
import { parseArgs } from 'node:util';
import { createRandom, type RgbImage } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { VqganTokenizer, vqganParameters, vqganPresets } from '@dalle-mini/vqgan';
import { fromFloat32, toFloat32 } from '@dalle-mini/weights';
import type { TokenizeMeasurement } from './measurement.js';

const { values: options } = parseArgs({
  options: {
    task: { type: 'string' },
    images: { type: 'string' },
    dtype: { type: 'string', default: 'fp32' },
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

const dtype = options.dtype as 'fp32' | 'fp16';

const config = vqganPresets['f16-16384'];
const seed = 0;
const random = createRandom(seed);
const integers = (length: number, below: number) => Array.from({ length }, () => random.integer(below));
const drawn = initializeParameters(vqganParameters(config), seed);
const parameters = dtype === 'fp32' ? drawn : rounded(drawn);
const { resolution: size, nEmbed } = config;
const images = Array.from({ length: count }, () => ({
  width: size,
  height: size,
  data: Uint8Array.from(integers(3 * size * size, 256)),
}));

const started = performance.now();
const runtime = new OnnxRuntime({ threads });
const tokenizer = new VqganTokenizer(config, parameters, { runtime });
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
const measurement = {
  engine: 'this project',
  dtype,
  load_ms: performance.now() - started - rounds.reduce((sum, round) => sum + round[task]!, 0),
  first: first!,
  rounds,
  peak_rss_mb: process.resourceUsage().maxRSS / 1024,
};
const result: TokenizeMeasurement =
  task === 'decode' && dtype !== 'fp32' ? { ...measurement, ...(await pixelLoss()) } : measurement;
console.log(JSON.stringify(result));
await tokenizer.dispose();
await runtime.dispose();

/** Returns the weights rounded to 16 bits. */
function rounded(parameters: ReadonlyMap<string, TensorData>): Map<string, TensorData> {
  const round = ({ shape, data }: TensorData): TensorData => ({
    dtype: 'float32',
    shape,
    data: toFloat32(fromFloat32(data as Float32Array, shape, 'F16')),
  });
  return new Map([...parameters].map(([name, value]) => [name, round(value)]));
}

/** Compares the first image with the image of the float32 weights. */
async function pixelLoss(): Promise<Pick<TokenizeMeasurement, 'psnr' | 'pixel_deviation'>> {
  // Measured last, because it takes memory.
  const { peakSignalToNoise } = await import('@dalle-mini/perceptual');
  const exact = initializeParameters(vqganParameters(config), seed);
  const reference = new VqganTokenizer(config, exact, { runtime });
  const [expected] = await reference.decode(grids.slice(0, 1));
  const [found] = await tokenizer.decode(grids.slice(0, 1));
  await reference.dispose();
  const psnr = peakSignalToNoise(expected!, found!);
  return { psnr: Number.isFinite(psnr) ? psnr : null, pixel_deviation: standardDeviation(expected!) };
}

function standardDeviation({ data }: RgbImage): number {
  const values = Float64Array.from(data);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
