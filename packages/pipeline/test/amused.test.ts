import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { amusedModel, importAmusedConfig } from '@dalle-mini/decoder';
import { input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize } from '@dalle-mini/graph/stored';
import { fromPretrained, ModelFolderError } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, describe, expect, test } from 'vitest';

const fixtures = join(import.meta.dirname, '../../testing/fixtures/amused');
const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** The captions of `scripts/reference/amused.py`. */
const prompts = ['a photo of a cat', 'the dogs'];

const read = async (path: string) => dequantize((await readCheckpointFile(path)).tensors);
const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

/** The largest difference, as a share of the largest value. */
function difference(actual: TensorData['data'], expected: TensorData['data']): number {
  expect(actual.length).toBe(expected.length);
  let [largest, scale] = [0, 0];
  for (const [i, value] of expected.entries()) {
    largest = Math.max(largest, Math.abs(actual[i]! - value));
    scale = Math.max(scale, Math.abs(value));
  }
  return largest / scale;
}

describe.each(['256', '512'])('the small aMUSEd of %s', (name) => {
  const folder = join(fixtures, name);

  test('has the hidden states and embeddings of captions, and the logits, of diffusers', async () => {
    const expected = await read(join(folder, 'expected.safetensors'));
    await using model = await fromPretrained(folder, { runtime, prepare: 0 });
    const text = await model.textEncoder.encode(prompts);
    // Rounding in float32.
    expect(difference(text.hiddenStates, expected.get('hidden')!.data)).toBeLessThan(1e-4);
    expect(difference(text.pooled!, expected.get('pooled')!.data)).toBeLessThan(1e-4);

    const config = importAmusedConfig({
      transformer: await readJson(join(folder, 'transformer/config.json')),
      scheduler: await readJson(join(folder, 'scheduler/scheduler_config.json')),
      pixelsPerToken: 4,
      textLength: 77,
    });
    const parameters = await read(join(folder, 'transformer/diffusion_pytorch_model.safetensors'));
    const amused = amusedModel(config);
    const places = config.gridSize ** 2;
    const tokens = input('tokens', [2, places], 'int32');
    const inputs = { tokens, ...amused.textInputs(2, 77) };
    const logits = amused.logits(new ParameterScope(), tokens, inputs);
    const executable = await runtime.compile({ inputs, outputs: { logits } }, { parameters });
    const outputs = await executable.run({
      tokens: { dtype: 'int32', shape: [2, places], data: Int32Array.from(expected.get('tokens')!.data) },
      hiddenStates: { dtype: 'float32', shape: [2, 77, 24], data: Float32Array.from(expected.get('hidden')!.data) },
      pooled: { dtype: 'float32', shape: [2, 20], data: Float32Array.from(expected.get('pooled')!.data) },
    });
    expect(difference(outputs.logits!.data, expected.get('logits')!.data)).toBeLessThan(1e-4);
    await executable.dispose();
  });

  test('generates exactly the greedy tokens of the pipeline of diffusers, and its pictures', async () => {
    const expected = await read(join(folder, 'expected.safetensors'));
    await using model = await fromPretrained(folder, { runtime, prepare: 0 });
    const greedy = { temperature: 0, choiceTemperature: 0, passes: 6, guidanceScale: 3 };
    const [tokens, pixels] = [expected.get('greedy')!.data, expected.get('pixels')!.data];
    for (const [i, prompt] of prompts.entries()) {
      const [generated] = await model.generate(prompt, greedy);
      const places = generated!.tokens.length;
      expect([...generated!.tokens]).toEqual([...tokens.subarray(i * places, (i + 1) * places)]);
      const { width, height, data } = generated!.image;
      const size = width * height;
      // [3, height, width] in [0, 1]. Rounding to whole numbers may go either way.
      const wrong = Array.from(data).filter((value, at) => {
        const channel = at % 3;
        return Math.abs(value - 255 * pixels[(3 * i + channel) * size + Math.floor(at / 3)]!) > 1;
      });
      expect(wrong).toEqual([]);
    }
  });
});

test('aMUSEd has the defaults of its pipeline, and edits and varies images', async () => {
  await using model = await fromPretrained(join(fixtures, '256'), { runtime, prepare: 0 });
  expect(model.sampling).toEqual({ passes: 12, choiceTemperature: 2, guidanceScale: 10 });
  const [first] = await model.generate('a cat', { seed: 1 });
  const { image } = first!;
  const mask = { ...image, data: new Uint8Array(image.data.length).fill(255, 0, image.data.length / 2) };
  const before = (await model.imageTokenizer.encode([image]))[0]!;
  const [edited] = await model.generate('a dog', { seed: 2, image, mask });
  expect([...edited!.tokens.subarray(8)]).toEqual([...before.subarray(8)]);
  const [varied] = await model.generate('a dog', { seed: 2, image, strength: 0.2 });
  expect(varied!.tokens.filter((token, i) => token === before[i]).length).toBeGreaterThan(8);
});

describe('a folder of diffusers is refused', () => {
  test('if it is another pipeline, or a file is missing', async () => {
    const copy = join(await temporaryFolder(), 'amused');
    await cp(join(fixtures, '256'), copy, { recursive: true });
    await rm(join(copy, 'transformer/diffusion_pytorch_model.safetensors'));
    await expect(fromPretrained(copy, { runtime })).rejects.toThrow('diffusion_pytorch_model.safetensors');
    await writeFile(join(copy, 'model_index.json'), '{"_class_name": "StableDiffusionPipeline"}');
    const refused = fromPretrained(copy, { runtime });
    await expect(refused).rejects.toThrow(ModelFolderError);
    await expect(refused).rejects.toThrow('_class_name must be AmusedPipeline, not "StableDiffusionPipeline".');
  });
});
