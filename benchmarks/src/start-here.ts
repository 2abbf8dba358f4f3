/**
 * Loads a model in a separate process and, on request, generates its first rows of tokens. Prints the times from the start of the process, and
 * the memory of loading, as a JSON line.
 */
import { parseArgs } from 'node:util';
import { type Dtype, fromPretrained } from '@dalle-mini/pipeline';
import type { StartMeasurement } from './measurement.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    vqgan: { type: 'string' },
    dtype: { type: 'string' },
    threads: { type: 'string' },
    draw: { type: 'string' },
  },
});
let converted = false;
const model = await fromPretrained(options.model, {
  threads: Number(options.threads),
  vqgan: options.vqgan,
  dtype: options.dtype as Dtype,
  onProgress: () => {
    converted = true;
  },
});
const load_ms = performance.now();
const load_peak_rss_mb = process.resourceUsage().maxRSS / 1024;
const drawn = options.draw === 'true' ? await firstRows() : {};
const result: StartMeasurement = { converted, load_ms, load_peak_rss_mb, ...drawn };
console.log(JSON.stringify(result));
await model.dispose();

/** Generates one image with guidance until two rows are complete. */
async function firstRows(): Promise<Pick<StartMeasurement, 'first_row_ms' | 'first_token_ms'>> {
  const stop = new AbortController();
  const rows: number[] = [];
  const onProgress = () => {
    rows.push(performance.now());
    if (rows.length === 2) stop.abort();
  };
  await model
    .generate('a red apple', { guidanceScale: 10, topK: 256, signal: stop.signal, onProgress })
    .catch((error) => {
      if (error !== stop.signal.reason) throw error;
    });
  const [first, second] = rows as [number, number];
  const { gridSize } = model.decoder;
  // The tokens of a row come together; those of the first take as long as those of the second at least.
  return { first_row_ms: first, first_token_ms: first - ((gridSize - 1) / gridSize) * (second - first) };
}
