import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, OptionError } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { released, whole } from '@dalle-mini/testing/published';
import {
  BartTextEncoder,
  bertWeights,
  HuggingFaceTextEncoder,
  importTextEncoder,
  importTextEncoderConfig,
  loadTextEncoder,
  parseBertConfig,
} from '@dalle-mini/text-encoder';
import { type OpenTextEncoderOptions, openTextEncoder } from '@dalle-mini/text-encoder/node';
import type { TextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import { fromFloat32, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile, writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readModel } from './hugging-face.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-encoder-'));
});
afterEach(() => rm(folder, { recursive: true }));

const fixture = (path: string) => new URL(`fixtures/hugging-face/${path}`, import.meta.url);
const open = (options: OpenTextEncoderOptions = {}) => openTextEncoder(folder, { runtime, ...options });

describe('openTextEncoder', () => {
  const bert = readModel('bert');
  const writeBert = async () => {
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json'])
      await cp(fixture(`bert/${file}`), join(folder, file));
  };

  test('opens the folder of a Hugging Face model, and reads captions as the model from its files', async () => {
    await writeBert();
    const opened = await open({ maxLength: bert.maxLength });
    const made = await loadTextEncoder(
      { config: bert.config, tokenizer: bert.tokenizer, weights: bert.readWeights('model.safetensors') },
      { runtime, maxLength: bert.maxLength },
    );
    expect(await opened.encode(bert.captions)).toEqual(await made.encode(bert.captions));
    await opened.dispose();
    await made.dispose();
  });

  describe('multilingual models', () => {
    /** A tokenizer as XLM-R's, with a vocabulary that the small models have. */
    const tokens = ['<s>', '<pad>', '</s>', '<unk>', '▁', 'a', '▁a', 'b', 'é', '▁cat', '猫'];
    const tokenizer = {
      version: '1.0',
      added_tokens: tokens.slice(0, 4).map((content, id) => ({ content, id, special: true })),
      normalizer: { type: 'NFKC' },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', add_prefix_space: true }],
      },
      post_processor: {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { SpecialToken: { id: '</s>', type_id: 0 } },
        ],
        special_tokens: {
          '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
          '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] },
        },
      },
      model: { type: 'Unigram', unk_id: 3, vocab: tokens.map((token, id) => [token, -id]) },
    };
    const ids: Record<string, number[]> = { 'a cat': [0, 6, 9, 2, 1, 1], 猫é: [0, 4, 10, 8, 2, 1] };

    test.each([
      ['bert', 'bert'],
      ['roberta', 'xlm-roberta'],
    ] as const)("of %s's architecture are opened with XLM-R's tokenizer", async (family, model_type) => {
      const { config, readWeights } = readModel(family);
      await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, model_type }));
      await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
      await writeFile(join(folder, 'tokenizer_config.json'), '{"model_max_length":6,"do_lower_case":true}');
      await cp(fixture(`${family}/model.safetensors`), join(folder, 'model.safetensors'));
      const opened = await open();
      expect(opened.maxLength).toBe(6);

      const parsed = parseBertConfig(config);
      const asked: TextTokenizer = {
        encode: (captions) => ({
          ids: Int32Array.from(captions.flatMap((caption) => ids[caption]!)),
          attentionMask: Int32Array.from(captions.flatMap((caption) => ids[caption]!.map((id) => Number(id !== 1)))),
        }),
      };
      const options = { tokenizer: asked, runtime, maxLength: 6 };
      const expected = new HuggingFaceTextEncoder(
        parsed,
        bertWeights(readWeights('model.safetensors'), parsed),
        options,
      );
      const captions = Object.keys(ids);
      expect(await opened.encode(captions)).toEqual(await expected.encode(captions));
      await opened.dispose();
      await expected.dispose();
    });
  });

  test('names the folder of a tokenizer that is damaged', async () => {
    await writeBert();
    await writeFile(join(folder, 'tokenizer.json'), '{"version":"2.0","model":{}}');
    await expect(open()).rejects.toThrow(`${folder}/tokenizer.json: version must be "1.0", not "2.0".`);
  });

  test('uses the positions of the model as the length if they are fewer than 64', async () => {
    await writeBert();
    const opened = await open();
    expect(opened.maxLength).toBe(14);
    await opened.dispose();
  });

  test('downloads a model of the hub by its name', async () => {
    const hub = new FakeHub();
    await hub.start();
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json'])
      hub.add(file, await readFile(fixture(`bert/${file}`)));
    const opened = await openTextEncoder('org/name', { runtime, endpoint: hub.url, cacheDir: folder });
    await hub.stop();
    expect(opened.width).toBe(12);
    await opened.dispose();
  });

  describe('the text encoder of DALL·E Mini', () => {
    const json = whole.description.config;
    const config = importTextEncoderConfig(json);
    const vocabulary = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, a: 4, b: 5, ab: 6 };
    const writeTokenizer = async () => {
      await writeFile(join(folder, 'vocab.json'), JSON.stringify(vocabulary));
      await writeFile(join(folder, 'merges.txt'), 'a b\n');
    };
    const hiddenStates = async () => {
      const opened = await open();
      expect(opened).toBeInstanceOf(BartTextEncoder);
      const text = await opened.encode(['ab', 'b']);
      await opened.dispose();
      return text;
    };

    test('is opened from a published model and from a model folder, with the same hidden states', async () => {
      await writeTokenizer();
      await writeFile(join(folder, 'config.json'), JSON.stringify(json));
      await writeFlaxCheckpointFile(join(folder, 'flax_model.msgpack'), released(whole.tensors));
      const published = await hiddenStates();
      await writeFile(join(folder, 'config.json'), JSON.stringify(config));
      const floats = ({ shape, ...tensor }: StoredTensor) => fromFloat32(toFloat32({ shape, ...tensor }), shape);
      const weights = [...importTextEncoder(released(whole.tensors), config)];
      await writeCheckpointFile(
        join(folder, 'model.safetensors'),
        new Map(weights.map(([name, tensor]) => [name, floats(tensor)])),
      );
      await rm(join(folder, 'flax_model.msgpack'));
      expect(published).toMatchObject({ width: 32, length: 8, batch: 2 });
      expect(await hiddenStates()).toEqual(published);
    });

    test('is refused for a wrong field of its config.json before its weights are read', async () => {
      await writeFile(join(folder, 'config.json'), JSON.stringify({ ...json, encoder_layers: 1e6 }));
      const message = `${join(folder, 'config.json')}: encoder_layers must be a whole number from 1 to 1024, not 1000000.`;
      await expect(open()).rejects.toThrow(ConfigError);
      await expect(open()).rejects.toThrow(message);
    });
  });

  test('disposes of its default runtime with the text encoder or on failure, and not of the caller’s', async () => {
    await writeBert();
    const dispose = vi.spyOn(OnnxRuntime.prototype, 'dispose');
    await (await open())[Symbol.asyncDispose]();
    expect(dispose).not.toHaveBeenCalled();
    await (await openTextEncoder(folder, { threads: 1 }))[Symbol.asyncDispose]();
    expect(dispose).toHaveBeenCalledTimes(1);
    await rm(join(folder, 'model.safetensors'));
    await expect(openTextEncoder(folder, { threads: 1 })).rejects.toThrow('model.safetensors');
    expect(dispose).toHaveBeenCalledTimes(2);
    dispose.mockRestore();
  });

  test('refuses unknown options', async () => {
    await expect(open({ length: 3 } as OpenTextEncoderOptions)).rejects.toThrow(OptionError);
    await expect(open({ tokenizer: 'bert' } as never)).rejects.toThrow('tokenizer must be "bart" or "min-dalle"');
  });
});
