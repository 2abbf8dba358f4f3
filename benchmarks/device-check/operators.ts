/** Compares the cases of operators on a device with the outputs of ONNX Runtime, and prints a JSON line. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { relativeError } from '@dalle-mini/testing/values';
import { XlaRuntime } from '@dalle-mini/xla';
import { everyCase, type References } from './cases.js';

export interface OperatorReport {
  readonly devices: readonly string[];
  readonly plugin: string;
  readonly version: string;
  readonly passed: number;
  /** Cases that the time did not suffice for. */
  readonly left: number;
  /** Cases that differ by more than the tolerance or are refused, with the difference or the message. */
  readonly failed: Readonly<Record<string, number | string>>;
  readonly seconds: number;
}

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    references: { type: 'string' },
    seconds: { type: 'string', default: '90' },
  },
});

/** As in the tests of processors: both compute in float32 and order their sums differently. */
const tolerance = 1e-5;

const start = performance.now();
const seconds = () => (performance.now() - start) / 1000;
const references = JSON.parse(readFileSync(options.references!, 'utf8')) as References;
const runtime = await XlaRuntime.open({ device: options.device as 'cpu' | 'cuda' | 'tpu', cache: { maxBytes: 0 } });
let [passed, left] = [0, 0];
const failed: Record<string, number | string> = {};
for (const { name, graph, feeds } of everyCase()) {
  if (seconds() > Number(options.seconds)) {
    left++;
    continue;
  }
  try {
    const executable = await runtime.compile(graph);
    const outputs = await executable.run(feeds);
    await executable.dispose();
    const errors = Object.entries(outputs).map(([output, { data }]) => {
      const bytes = Uint8Array.from(Buffer.from(references[name]![output]!, 'base64'));
      return relativeError(data, new (data.constructor as Float32ArrayConstructor)(bytes.buffer));
    });
    const worst = Math.max(0, ...errors);
    if (worst < tolerance) passed++;
    else failed[name] = worst;
  } catch (error) {
    failed[name] = (error as Error).message.slice(0, 300);
  }
}
const { devices, plugin, version } = runtime;
const report: OperatorReport = { devices, plugin, version, passed, left, failed, seconds: seconds() };
console.log(JSON.stringify(report));
await runtime.dispose();
