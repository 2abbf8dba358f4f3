import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { captionBert } from '@dalle-mini/testing/tiny-training';
import { afterAll, expect, test } from 'vitest';
import { decoderTrainer, vqganTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

test('a run that computes layers again gives the same result, except for rounding', async () => {
  const { config, tokenizer, parameters } = captionBert;
  const textEncoder = { kind: 'trained', config, tokenizer, maxLength: 6, parameters } as const;
  const short = { steps: 10, checkpointEvery: 10, evaluateEvery: 10 };
  const decoder = (rematerialize: boolean) =>
    decoderTrainer(runtime)({ ...short, textEncoder, config: { rematerialize } });
  const vqgan = (rematerialize: boolean) => vqganTrainer(runtime)({ ...short, config: { rematerialize } });
  for (const train of [decoder, vqgan]) {
    const [plain, again] = [await train(false), await train(true)];
    for (const [i, { loss }] of plain.metrics.entries()) {
      // ONNX Runtime fuses other operations; each step adds to the difference.
      expect(Math.abs(again.metrics[i]!.loss! / loss! - 1)).toBeLessThan(1e-4);
    }
  }
});
