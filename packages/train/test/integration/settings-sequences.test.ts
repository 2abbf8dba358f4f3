import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { fromPretrained, readModelDescription, writeVqgan } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { randomVqgan } from '@dalle-mini/testing/published-model';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { type DecoderSettings, trainDecoderFromSettings } from '@dalle-mini/train/settings';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

let root: string;
const at = (...path: string[]) => join(root, ...path);

beforeAll(async () => {
  root = await temporaryFolder();
  await writeVqgan(at('vqgan'), randomVqgan());
  await writeTinyModel(root);
  await mkdir(at('pictures'));
  for (const [i, background] of ['red', 'green', 'blue', 'yellow'].entries()) {
    await sharp({ create: { width: 20, height: 16, channels: 3, background } })
      .png()
      .toFile(at('pictures', `${i}.png`));
    await writeFile(at('pictures', `${i}.txt`), `a ${background} apple\n`);
  }
});

let runs = 0;

async function train(settings: Partial<DecoderSettings>, prompt = 'a red apple') {
  const { result } = await trainDecoderFromSettings(
    {
      folder: at(`run-${runs++}`),
      seed: 1,
      steps: 4,
      dataset: { type: 'folder', path: at('pictures') },
      training: { batchSize: 2, stepsPerRun: 2, learningRate: 1e-2, warmUpSteps: 1 },
      samplePrompts: [prompt],
      sampling: { guidanceScale: 2 },
      ...settings,
    },
    { runtime },
  );
  const model = await fromPretrained(result, { runtime });
  const [image] = await model.generate(prompt, { seed: 1 });
  await model.dispose();
  return { result, image: image!, description: await readModelDescription(result) };
}

const sizes = { width: 16, layers: 1, heads: 2 } as const;

describe('settings of a decoder-only model', () => {
  test('train one with the tokenizer of a text encoder, which can be fine-tuned', async () => {
    const model = { kind: 'decoder-only', ...sizes, text: 'separator' } as const;
    const new_ = { imageTokenizer: at('vqgan'), textEncoder: { folder: at('tiny'), maxLength: 6 } };
    const { result, image, description } = await train({ model, ...new_ });
    expect(description.decoder.type).toBe('decoder-only');
    expect(description.textEncoder).toEqual({ type: 'tokens', folder: 'text-encoder', maxLength: 6 });
    expect(image.image.width).toBeGreaterThan(0);
    const tuned = await train({
      startFrom: result,
      training: { batchSize: 2, stepsPerRun: 2, learningRate: 1e-2, warmUpSteps: 1, textLossWeight: 0 },
    });
    expect(tuned.description.textEncoder).toEqual(description.textEncoder);
    await expect(train({ model, ...new_, textEncoder: { ...new_.textEncoder, train: true } })).rejects.toThrow(
      'textEncoder.train must be false for a decoder that reads tokens',
    );
  });

  test('fine-tune minDALL-E from its release', async () => {
    await cp(fileURLToPath(new URL('../../../testing/fixtures/min-dalle-e', import.meta.url)), at('min-dalle-e'), {
      recursive: true,
    });
    const { description } = await train({ startFrom: at('min-dalle-e') });
    expect(description.decoder.type).toBe('decoder-only');
    expect(description.textEncoder).toMatchObject({ type: 'tokens', maxLength: 12 });
  });
});

describe('settings of a LlamaGen decoder', () => {
  test('train one on captions', async () => {
    const model = { kind: 'llama-gen', ...sizes, feedForwardWidth: 32 } as const;
    const { description } = await train({ model, imageTokenizer: at('vqgan'), textEncoder: { folder: at('tiny') } });
    expect(description.decoder.type).toBe('llama-gen');
    expect(description.textEncoder.type).toBe('bert');
  });

  test('fine-tune one of classes from its release, with classes as captions', async () => {
    const folder = at('llama-gen');
    await mkdir(folder);
    const fixture = (name: string) => fileURLToPath(new URL(`../../../testing/fixtures/${name}`, import.meta.url));
    await cp(fixture('llama-gen-classes.pt'), join(folder, 'c2i_B_8.pt'));
    await cp(fixture('llama-gen-tokenizer.pt'), join(folder, 'vq_ds2_c2i.pt'));
    await writeFile(join(folder, 'config.json'), '{ "n_head": 2 }');
    await cp(at('pictures'), at('classes'), { recursive: true });
    for (const i of [0, 1, 2, 3]) await writeFile(at('classes', `${i}.txt`), `${i}\n`);
    const { description } = await train({ startFrom: folder, dataset: { type: 'folder', path: at('classes') } }, '2');
    expect(description.textEncoder.type).toBe('classes');
  });
});
