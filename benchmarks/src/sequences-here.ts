/** Generates images with a release of minDALL-E or LlamaGen, in a separate process. Prints the time of each stage as a JSON line. */

import { parseArgs } from 'node:util';
import { type Dtype, fromPretrained } from '@dalle-mini/pipeline';
import type { GenerateMeasurement } from './measurement.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    prompt: { type: 'string' },
    dtype: { type: 'string', default: 'fp32' },
    images: { type: 'string', default: '1' },
    guidance: { type: 'string', default: '1' },
    threads: { type: 'string' },
    rounds: { type: 'string', default: '1' },
  },
});
const [images, threads, rounds, guidanceScale] = [
  options.images,
  options.threads,
  options.rounds,
  options.guidance,
].map(Number) as [number, number, number, number];

const dtype = options.dtype as Dtype;
const started = performance.now();
const model = await fromPretrained(options.model!, { threads, dtype, prepare: images });
const { textEncoder, decoder, imageTokenizer } = model;
const loadMs = performance.now() - started;
const text = await textEncoder.encode(Array<string>(images).fill(options.prompt!));
const unconditional = decoder.needsUnconditional === false ? undefined : await textEncoder.encode(['']);
const measured: Record<string, number>[] = [];
// The first round compiles for this number of images.
for (let round = 0; round <= rounds; round++) measured.push(await draw());
const [first, ...others] = measured;
const result: GenerateMeasurement = {
  engine: 'this project',
  dtype,
  load_ms: loadMs,
  first: first!,
  rounds: others,
  peak_rss_mb: process.resourceUsage().maxRSS / 1024,
};
await model.dispose();
console.log(JSON.stringify(result));

async function draw(): Promise<Record<string, number>> {
  const start = performance.now();
  const grids = await decoder.generate(text, { topK: 256, guidanceScale, unconditional, seed: 1 });
  const generated = performance.now();
  await imageTokenizer.decode(grids);
  return { [`${decoder.gridSize ** 2} tokens`]: generated - start, 'decode pixels': performance.now() - generated };
}
