import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { randomImages } from '@dalle-mini/testing/tiny-vqgan';
import { VqganTokenizer, vqganParameters, vqganPresets } from '@dalle-mini/vqgan';
import { afterAll, expect, test } from 'vitest';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

test("tokenizes 256 × 256 pixels at the size of DALL·E Mini's image tokenizer", { timeout: 300_000 }, async () => {
  const config = vqganPresets['f16-16384'];
  const values: ReadonlyMap<string, TensorData> = initializeParameters(vqganParameters(config), 1);
  const own = new VqganTokenizer(config, values, { runtime });
  const [grid] = await own.encode(randomImages(1, 256, 1));
  expect(grid).toHaveLength(256);
  expect(grid!.every((token) => token >= 0 && token < 16384)).toBe(true);
  const [image] = await own.decode([grid!]);
  expect([image!.width, image!.height, image!.data.length]).toEqual([256, 256, 3 * 256 * 256]);
  // A value that is not finite would be 0 or 255, and first weights give grays: bytes in between, and not of one shade.
  const inner = image!.data.filter((byte) => byte > 0 && byte < 255);
  expect(inner.length / image!.data.length).toBeGreaterThan(0.9);
  expect(new Set(inner).size).toBeGreaterThan(10);
  await own.dispose();
});
