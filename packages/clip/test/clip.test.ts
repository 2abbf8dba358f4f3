import {
  clipImageEmbeddings,
  clipParameters,
  clipPresets,
  clipSimilarities,
  importClip,
  writeClipPixels,
} from '@dalle-mini/clip';
import { GraphError, input, ParameterScope, sizeOf, type Tensor } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { clipText } from '@dalle-mini/text-encoder/clip';
import { toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { clipImageStates } from '../src/clip.js';
import { pictures, relativeError, tinyClip } from './fixtures.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

// Float32 sums in another order: a few units of 2⁻²⁴ for each of some tens of operations.
const tolerance = 1e-5;

describe.each(['patch-16', 'patch-8'] as const)('the CLIP of transformers, fixture %s', (name) => {
  const { config, weights, outputs: expected } = tinyClip(name);
  const { imageSize } = config;
  const stored = expected.get('ids')!;
  const ids = { dtype: 'int32', shape: stored.shape, data: toInt32(stored) } as const;
  const pixels = {
    dtype: 'float32',
    shape: [pictures.length, 3, imageSize, imageSize],
    data: new Float32Array(pictures.length * 3 * imageSize ** 2),
  } as const;
  for (const [i, { input }] of pictures.entries()) {
    writeClipPixels(input, imageSize, pixels.data, i * 3 * imageSize ** 2);
  }

  async function run(outputs: (scope: ParameterScope, ids: Tensor, images: Tensor) => Record<string, Tensor>) {
    const inputs = { ids: input('ids', ids.shape, 'int32'), images: input('images', pixels.shape) };
    const graph = { inputs, outputs: outputs(new ParameterScope(), inputs.ids, inputs.images) };
    const executable = await runtime.compile(graph, { parameters: importClip(weights, config) });
    const result = await executable.run({ ids, images: pixels });
    await executable.dispose();
    return result;
  }

  test('has the same hidden states', async () => {
    const { text, image } = await run((scope, ids, images) => ({
      text: clipText(scope, config, ids).last,
      image: clipImageStates(scope, config, images),
    }));
    const expectedText = toFloat32(expected.get('textStates')!);
    expect(relativeError(text!.data.subarray(0, expectedText.length), expectedText)).toBeLessThan(tolerance);
    const size = image!.data.length / pictures.length;
    const chosen = [...toInt32(expected.get('pictures')!)].flatMap((picture) => [
      ...image!.data.subarray(picture * size, (picture + 1) * size),
    ]);
    expect(relativeError(chosen, toFloat32(expected.get('imageStates')!))).toBeLessThan(tolerance);
  });

  test('has the same embeddings and similarities', async () => {
    const result = await run((scope, ids, images) => {
      const textEmbeddings = clipText(scope, config, ids).pooled;
      const imageEmbeddings = clipImageEmbeddings(scope, config, images);
      const similarities = clipSimilarities(scope, textEmbeddings, imageEmbeddings);
      return { textEmbeddings, imageEmbeddings, similarities };
    });
    for (const output of ['textEmbeddings', 'imageEmbeddings', 'similarities']) {
      expect(result[output]!.shape, output).toEqual(expected.get(output)!.shape);
      expect(relativeError(result[output]!.data, toFloat32(expected.get(output)!)), output).toBeLessThan(tolerance);
    }
  });

  test('declares the parameters that Hugging Face stores, under the same names and shapes', () => {
    const declared = [...clipParameters(config)].map(([name, { shape }]) => `${name} [${shape}]`);
    expect(declared.sort()).toEqual([...weights].map(([name, { shape }]) => `${name} [${shape}]`).sort());
  });

  test('refuses captions past the last position', () => {
    const long = input('ids', [1, config.maxLength + 1], 'int32');
    expect(() => clipText(new ParameterScope(), config, long)).toThrow(GraphError);
  });
});

test('parameters are found without a causal mask of the longest caption, which would take all memory', () => {
  const { config } = tinyClip('patch-16');
  const positions = clipParameters({ ...config, maxLength: 2 ** 17 }).get(
    'text_model.embeddings.position_embedding.weight',
  );
  expect(positions!.shape[0]).toBe(2 ** 17);
});

// The same number as in the published checkpoints.
test.each([
  ['vit-b-32', 151_277_313],
  ['vit-b-16', 149_620_737],
] as const)('%s has %i parameters', (name, count) => {
  const sizes = [...clipParameters(clipPresets[name]).values()].map(({ shape }) => sizeOf(shape));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
});
