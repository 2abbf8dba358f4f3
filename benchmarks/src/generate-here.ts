/** Generates images with this project, in a separate process. Prints the time of each stage as a JSON line, as the programs in `peers/` do. */

import { parseArgs } from 'node:util';
import type { TextEncoding } from '@dalle-mini/core';
import { type Dtype, encodeImage, fromPretrained } from '@dalle-mini/pipeline';
import type { GenerateMeasurement } from './measurement.js';
import { measureRounds, type TimeStage } from './rounds.js';
import { measureStages } from './stages.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    vqgan: { type: 'string' },
    dtype: { type: 'string', default: 'fp32' },
    images: { type: 'string', default: '1' },
    threads: { type: 'string' },
    rounds: { type: 'string', default: '1' },
  },
});
const [images, threads, rounds] = [options.images, options.threads, options.rounds].map(Number) as [
  number,
  number,
  number,
];

const dtype = options.dtype as Dtype;
const prompt = 'a red apple';
const started = performance.now();
// The pipeline generates at most eight images at once; here all are generated together.
const prepare = images > 8 ? 0 : images;
const model = await fromPretrained(options.model, { threads, dtype, prepare, vqgan: options.vqgan });
const { textEncoder, decoder, imageTokenizer, sampling } = model;
const loadMs = performance.now() - started;
/** The pipeline reads the negative prompt once too, and without padding. */
let unconditional: TextEncoding | undefined;
const result = await measureRounds({ engine: 'this project', dtype, loadMs, rounds, generate });
await model.dispose();
const { length } = unconditional!;
const stages = await measureStages({ release: options.model!, dtype, images, prompt, length, threads });
console.log(JSON.stringify({ ...result, ...stages } satisfies GenerateMeasurement));

async function generate(timed: TimeStage): Promise<void> {
  const text = await timed('encode text', async () => {
    const captions = unconditional ? [prompt] : [prompt, ''];
    const encoding = await textEncoder.encode(captions, { padding: 'longest' });
    unconditional ??= caption(encoding, 1, 1);
    return caption(encoding, 0, images);
  });
  const grids = await timed(`${decoder.gridSize ** 2} tokens`, () =>
    decoder.generate(text, { ...sampling, topK: 256, unconditional, seed: 1 }),
  );
  const pictures = await timed('decode pixels', () => imageTokenizer.decode(grids));
  await timed('PNG', () => Promise.all(pictures.map((picture) => encodeImage(picture))));
}

/** One caption of an encoding, `count` times. */
function caption(
  { hiddenStates, attentionMask, length, width }: TextEncoding,
  index: number,
  count: number,
): TextEncoding {
  const repeat = <Values extends Float32Array | Int32Array>(values: Values, size: number): Values => {
    const repeated = new (values.constructor as new (length: number) => Values)(size * count);
    for (let i = 0; i < count; i++) repeated.set(values.subarray(index * size, (index + 1) * size), i * size);
    return repeated;
  };
  return {
    hiddenStates: repeat(hiddenStates, length * width),
    attentionMask: repeat(attentionMask, length),
    batch: count,
    length,
    width,
  };
}
