import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { fromFloat32, toFloat32, writeFlaxMsgpack, writeSafetensors } from '@dalle-mini/weights';
import { huggingFaceFiles } from '@dalle-mini/weights/hub';
import { readHuggingFaceFolder } from '@dalle-mini/weights/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-'));
});
afterEach(() => rm(folder, { recursive: true }));

const tensors = (value: number) => new Map([['w', fromFloat32(Float32Array.of(value), [1])]]);
const contents: Record<string, string | Uint8Array> = {
  'config.json': '{"model_type":"bert"}',
  'tokenizer.json': '{"model":{}}',
  'tokenizer_config.json': '{"do_lower_case":false}',
  'vocab.json': '{"a":0}',
  'merges.txt': 'a b\n',
  'vocab.txt': 'a\nb\n',
  'model.safetensors': writeSafetensors(tensors(1)),
  'flax_model.msgpack': writeFlaxMsgpack(tensors(3)),
};
const put = async (...names: string[]) => {
  for (const name of names) await writeFile(join(folder, name), contents[name]!);
};
const listing = (...names: string[]) => names.map((name) => ({ name }));

describe('readHuggingFaceFolder', () => {
  test('reads the files of a model', async () => {
    await put('config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors');
    const { config, tokenizer, tokenizerConfig, weights } = await readHuggingFaceFolder(folder);
    expect({ config, tokenizer, tokenizerConfig }).toEqual({
      config: { model_type: 'bert' },
      tokenizer: { model: {} },
      tokenizerConfig: { do_lower_case: false },
    });
    expect([...toFloat32(weights.get('w')!)]).toEqual([1]);
  });

  test.each([
    [['tokenizer.json', 'vocab.json', 'merges.txt'], { model: {} }],
    [['vocab.json', 'merges.txt'], { vocab: { a: 0 }, merges: 'a b\n' }],
    [['vocab.txt'], { vocab: 'a\nb\n' }],
  ])('takes the first of the tokenizers that are there: %j', async (names, expected) => {
    await put('config.json', 'model.safetensors', ...names);
    const model = await readHuggingFaceFolder(folder);
    expect(model.tokenizer).toEqual(expected);
    expect(model).not.toHaveProperty('tokenizerConfig');
  });

  test('takes the first of the weights that are there', async () => {
    await put('config.json', 'tokenizer.json', 'flax_model.msgpack');
    const value = async () => toFloat32((await readHuggingFaceFolder(folder)).weights.get('w')!)[0];
    expect(await value()).toBe(3);
    await put('model.safetensors');
    expect(await value()).toBe(1);
  });

  test.each(['config.json', 'tokenizer.json', 'model.safetensors'])('names %s if it is missing', async (name) => {
    await put(...['config.json', 'tokenizer.json', 'model.safetensors'].filter((other) => other !== name));
    const reading = readHuggingFaceFolder(folder);
    await expect(reading).rejects.toThrow(FileError);
    await expect(reading).rejects.toThrow(`Cannot read ${join(folder, name)}: there is no such file.`);
  });

  test.each(['{', '[1]', 'null', '\n{"a":\n'])('names a config.json that is %j', async (text) => {
    await put('tokenizer.json', 'model.safetensors');
    await writeFile(join(folder, 'config.json'), text);
    const error = await readHuggingFaceFolder(folder).then(
      () => expect.fail('it was read'),
      (error: Error) => error,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/config\.json: the text must be [^\n]*$/);
  });
});

describe('huggingFaceFiles', () => {
  test('chooses what readHuggingFaceFolder reads, and nothing twice', async () => {
    const all = listing(...Object.keys(contents), 'pytorch_model.bin', 'README.md');
    expect(huggingFaceFiles(all)).toEqual([
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'model.safetensors',
    ]);
    const older = listing('merges.txt', 'vocab.json', 'pytorch_model.bin', 'config.json');
    expect(huggingFaceFiles(older)).toEqual(['config.json', 'vocab.json', 'merges.txt', 'pytorch_model.bin']);
    expect(huggingFaceFiles(listing('vocab.txt'))).toEqual(['config.json', 'vocab.txt', 'model.safetensors']);
  });
});
