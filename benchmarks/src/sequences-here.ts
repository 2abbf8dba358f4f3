/** Generates images with a release of minDALL-E or LlamaGen, in a separate process. Prints the time of each stage as a JSON line. */

import { parseArgs } from 'node:util';
import { type Dtype, fromPretrained } from '@dalle-mini/pipeline';
import { measureRounds } from './rounds.js';

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
const result = await measureRounds({
  engine: 'this project',
  dtype,
  loadMs,
  rounds,
  async generate(timed) {
    const grids = await timed(`${decoder.gridSize ** 2} tokens`, () =>
      decoder.generate(text, { topK: 256, guidanceScale, unconditional, seed: 1 }),
    );
    await timed('decode pixels', () => imageTokenizer.decode(grids));
  },
});
await model.dispose();
console.log(JSON.stringify(result));
