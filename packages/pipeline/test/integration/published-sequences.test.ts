import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromPretrained, ModelFolderError, readModelDescription, resolveModel } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const fixtures = fileURLToPath(new URL('../../../testing/fixtures/', import.meta.url));
const tensorsOf = async (name: string) => readSafetensors(await readFile(join(fixtures, name)));

describe("fromPretrained with minDALL-E's release", () => {
  const release = async () => {
    const folder = await temporaryFolder();
    await cp(join(fixtures, 'min-dalle-e'), folder, { recursive: true });
    return folder;
  };

  test('generates exactly the tokens of its code for prompts, and the pixels of its VQ-GAN', async () => {
    const { tensors, metadata } = await tensorsOf('min-dalle-e/expected.safetensors');
    const prompts = JSON.parse(metadata.prompts!) as string[];
    const greedy = toInt32(tensors.get('greedy_tokens')!);
    const pixels = toFloat32(tensors.get('pixels')!);
    const model = await fromPretrained(await release(), { threads: 1 });
    expect(model.sampling).toEqual({ topK: 256 });
    for (const [i, prompt] of prompts.entries()) {
      if (prompt === '') continue;
      const [picture] = await model.generate(prompt, { temperature: 0 });
      expect([...picture!.tokens]).toEqual([...greedy.subarray(16 * i, 16 * (i + 1))]);
      const { data } = picture!.image;
      const size = 64;
      // As in its code, [−1, 1] becomes 0 to 255, clipped.
      const expected = Array.from({ length: 3 * size }, (_, at) => {
        const value = pixels[(3 * i + (at % 3)) * size + Math.floor(at / 3)]!;
        return Math.min(255, Math.max(0, (value * 0.5 + 0.5) * 255));
      });
      const worst = Math.max(...expected.map((value, at) => Math.abs(value - data[at]!)));
      // Bytes are rounded.
      expect(worst).toBeLessThan(0.51);
    }
    await model.dispose();
  });

  test('reads prompts to the token ids of its tokenizer', async () => {
    const { tensors, metadata } = await tensorsOf('min-dalle-e/expected.safetensors');
    const model = await fromPretrained(await release(), { threads: 1, prepare: 0 });
    const { tokens } = await model.textEncoder.encode(JSON.parse(metadata.prompts!) as string[]);
    expect([...tokens!]).toEqual([...toInt32(tensors.get('ids')!)]);
    await model.dispose();
  });

  test('converts it in 8 bits, which generates too', async () => {
    const folder = await release();
    const converted = await resolveModel(folder, { dtype: 'q8' });
    expect((await readModelDescription(converted)).decoder.type).toBe('decoder-only');
    const model = await fromPretrained(converted, { threads: 1 });
    const [picture] = await model.generate('a red apple', { seed: 1, guidanceScale: 2, negativePrompt: 'a pear' });
    expect(picture!.tokens.length).toBe(16);
    await model.dispose();
  });

  test('refuses a configuration of another model, by the name of the field', async () => {
    const folder = await release();
    const path = join(folder, 'config.yaml');
    const change = async (edit: (config: { stage2: { type: string; hparams: Record<string, unknown> } }) => void) => {
      const config = JSON.parse(await readFile(join(fixtures, 'min-dalle-e/config.yaml'), 'utf8'));
      edit(config);
      await writeFile(path, JSON.stringify(config));
    };
    await change(({ stage2 }) => {
      stage2.type = 'igpt';
    });
    await expect(fromPretrained(folder)).rejects.toThrow('stage2.type must be "transformer1d", not "igpt"');
    await change(({ stage2 }) => {
      stage2.hparams.rotary = true;
    });
    await expect(fromPretrained(folder)).rejects.toThrow('stage2.hparams.rotary is not known');
    await change(({ stage2 }) => {
      stage2.hparams.n_layers = 3;
      stage2.hparams.n_dense_layers = 3;
    });
    await expect(fromPretrained(folder)).rejects.toThrow('blocks.2.');
  });
});

describe("fromPretrained with LlamaGen's release", () => {
  const release = async (config: object = { n_head: 2 }) => {
    const folder = await temporaryFolder();
    await copyFile(join(fixtures, 'llama-gen-classes.pt'), join(folder, 'c2i_B_8.pt'));
    await copyFile(join(fixtures, 'llama-gen-tokenizer.pt'), join(folder, 'vq_ds2_c2i.pt'));
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    return folder;
  };

  test('generates exactly the tokens of its code for classes, with guidance from no class', async () => {
    const { tensors } = await tensorsOf('llama-gen-classes.safetensors');
    const classes = toInt32(tensors.get('condition')!);
    const model = await fromPretrained(await release(), { threads: 1 });
    expect(model.sampling).toEqual({ topK: 2000, guidanceScale: 4 });
    for (const scale of [1, 3]) {
      const greedy = toInt32(tensors.get(`greedy_tokens_${scale}`)!);
      for (const [i, name] of classes.entries()) {
        const [picture] = await model.generate(String(name), { temperature: 0, guidanceScale: scale });
        expect([...picture!.tokens]).toEqual([...greedy.subarray(16 * i, 16 * (i + 1))]);
      }
    }
    await expect(model.generate('5')).rejects.toThrow('prompt must be a class from 0 to 4');
    await model.dispose();
  });

  test('has the tokens and the pixels of its tokenizer', async () => {
    const { tensors } = await tensorsOf('llama-gen-tokenizer.safetensors');
    const model = await fromPretrained(await release(), { threads: 1, prepare: 0 });
    const [tokens, pixels, images] = [
      toInt32(tensors.get('tokens')!),
      toFloat32(tensors.get('pixels')!),
      toFloat32(tensors.get('images')!),
    ];
    const grids = Array.from({ length: 4 }, (_, i) => tokens.slice(16 * i, 16 * (i + 1)));
    const decoded = await model.imageTokenizer.decode(grids);
    const bytesOf = (values: Float32Array, i: number) =>
      Array.from({ length: 192 }, (_, at) => {
        const value = values[(3 * i + (at % 3)) * 64 + Math.floor(at / 3)]!;
        return Math.min(255, Math.max(0, ((value + 1) * 255) / 2));
      });
    for (const [i, { data }] of decoded.entries()) {
      const worst = Math.max(...bytesOf(pixels, i).map((value, at) => Math.abs(value - data[at]!)));
      expect(worst).toBeLessThan(0.51);
    }
    // Bytes round the values that the published code read, which is why not all tokens need be the same.
    const rgb = grids.map((_, i) => ({ width: 8, height: 8, data: Uint8ClampedArray.from(bytesOf(images, i)) }));
    const encoded = await model.imageTokenizer.encode(rgb);
    const same = encoded.flatMap((grid, i) => [...grid].map((token, at) => token === grids[i]![at]));
    expect(same.filter(Boolean).length / same.length).toBeGreaterThan(0.9);
    await model.dispose();
  });

  test('refuses what the files do not tell, by its name', async () => {
    await expect(fromPretrained(await release({}))).rejects.toThrow(
      'n_head must be given in a config.json, because no published model has the width 16',
    );
    await expect(fromPretrained(await release({ n_head: 2, n_kv_head: 1 }))).rejects.toThrow(
      'n_kv_head must be n_head',
    );
    const two = await release();
    await copyFile(join(two, 'c2i_B_8.pt'), join(two, 'c2i_L_8.pt'));
    await expect(fromPretrained(two)).rejects.toThrow('must have one of c2i_B_8.pt and c2i_L_8.pt');
    const text = await temporaryFolder();
    await copyFile(join(fixtures, 'llama-gen-text.pt'), join(text, 't2i_XL_stage1_8.pt'));
    await copyFile(join(fixtures, 'llama-gen-tokenizer.pt'), join(text, 'vq_ds2_t2i.pt'));
    await writeFile(join(text, 'config.json'), JSON.stringify({ n_head: 2 }));
    await expect(fromPretrained(text)).rejects.toThrow(
      'must have the text encoder of the model, in the subfolder flan-t5-xl',
    );
    await expect(fromPretrained(text)).rejects.toThrow(ModelFolderError);
  });

  test('conditions a decoder of captions on the T5 in a subfolder', async () => {
    const folder = await temporaryFolder();
    await copyFile(join(fixtures, 'llama-gen-text.pt'), join(folder, 't2i_XL_stage1_8.pt'));
    await copyFile(join(fixtures, 'llama-gen-tokenizer.pt'), join(folder, 'vq_ds2_t2i.pt'));
    await writeFile(join(folder, 'config.json'), JSON.stringify({ n_head: 2 }));
    const encoders = fileURLToPath(new URL('../../../text-encoder/test/fixtures/text-encoders/flan', import.meta.url));
    await mkdir(join(folder, 'flan-t5-xl'));
    await cp(encoders, join(folder, 'flan-t5-xl'), { recursive: true });
    const model = await fromPretrained(folder, { threads: 1 });
    expect(model.sampling).toEqual({ topK: 1000, guidanceScale: 7.5 });
    const generate = async (prompt: string, negativePrompt = '') => [
      ...(await model.generate(prompt, { temperature: 0, negativePrompt }))[0]!.tokens,
    ];
    const apple = await generate('a red apple');
    expect(apple).toHaveLength(16);
    expect(await generate('two green pears')).not.toEqual(apple);
    // An embedding of no caption is not the encoding of a negative prompt.
    expect(await generate('a red apple', 'two green pears')).not.toEqual(apple);
    await model.dispose();
  });
});
