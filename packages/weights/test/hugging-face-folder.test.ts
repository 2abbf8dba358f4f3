import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@dalle-mini/core';
import { FileError } from '@dalle-mini/core/node';
import { CheckpointError, fromFloat32, toFloat32, writeFlaxMsgpack, writeSafetensors } from '@dalle-mini/weights';
import { chooseWeights, huggingFaceFiles } from '@dalle-mini/weights/hub';
import { findWeights, locateTensors, readCheckpointFile, readHuggingFaceFolder } from '@dalle-mini/weights/node';
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

  test.each(['spiece.model', 'sentencepiece.bpe.model', 'tokenizer.model'])('refuses %s alone', async (name) => {
    await put('config.json', 'model.safetensors');
    await writeFile(join(folder, name), '');
    const message = `${name} is a vocabulary of SentencePiece, which is not read without a tokenizer.json. Write one`;
    await expect(readHuggingFaceFolder(folder)).rejects.toThrow(`${folder}: ${message}`);
    const names = listing('config.json', name, 'model.safetensors');
    expect(() => huggingFaceFiles(names)).toThrow(`The repository: ${message}`);
    await put('tokenizer.json');
    await expect(readHuggingFaceFolder(folder)).resolves.toMatchObject({ tokenizer: { model: {} } });
    expect(huggingFaceFiles([...names, { name: 'tokenizer.json' }])).toContain('tokenizer.json');
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

describe('weights in several files', () => {
  const index = 'model.safetensors.index.json';
  const files = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  const one = (name: string, value: number) =>
    writeSafetensors(new Map([[name, fromFloat32(Float32Array.of(value), [1])]]));
  const write = (map: unknown) => writeFile(join(folder, index), JSON.stringify({ metadata: {}, weight_map: map }));

  beforeEach(async () => {
    await put('config.json', 'tokenizer.json');
    await writeFile(join(folder, files[0]), one('a', 1));
    await writeFile(join(folder, files[1]), one('b', 2));
    await write({ a: files[0], b: files[1] });
  });

  test('are read together', async () => {
    const { weights } = await readHuggingFaceFolder(folder);
    expect([...weights].map(([name, tensor]) => [name, toFloat32(tensor)[0]])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    const { format, tensors, metadata, leftOut } = await readCheckpointFile(join(folder, index));
    expect([format, tensors.size, metadata, leftOut]).toEqual(['safetensors', 2, {}, []]);
    expect([...(await locateTensors(join(folder, index))).values()].map(({ file }) => file)).toEqual([...files]);
  });

  test('have the average if it is wanted', async () => {
    await writeFile(join(folder, files[1]), one('ema.a', 2));
    await write({ a: files[0], 'ema.a': files[1] });
    const path = join(folder, index);
    const read = async (which?: 'model' | 'ema') =>
      [...(await readCheckpointFile(path, { which })).tensors].map(([name, tensor]) => [name, toFloat32(tensor)[0]]);
    expect(await read('ema')).toEqual([['a', 2]]);
    expect(await read('model')).toEqual([['a', 1]]);
    expect(await read()).toHaveLength(2);
    expect([...(await locateTensors(path, { which: 'ema' })).values()].map(({ file }) => file)).toEqual([files[1]]);
    await writeFile(join(folder, files[1]), one('b', 2));
    await write({ a: files[0], b: files[1] });
    await expect(read('ema')).rejects.toThrow(/index\.json: The file has no average/);
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['a file is missing', () => rm(join(folder, files[1])), /of which "model-00002-of-00002\.safetensors" is missing/],
    ['a tensor is missing', () => write({ a: files[0], b: files[1], c: files[1] }), /00002\.safetensors lacks "c"/],
    [
      'a tensor is in another file',
      () => write({ a: files[1], b: files[0] }),
      /00002\.safetensors lacks "a"|00001\S+ lacks "b"/,
    ],
    [
      'a tensor is twice',
      () =>
        writeFile(
          join(folder, files[1]),
          writeSafetensors(new Map([...'ab'].map((name) => [name, fromFloat32(Float32Array.of(1), [1])]))),
        ),
      /"a" is in "model-00001\S+ and in/,
    ],
    [
      'a file lies outside',
      () => write({ a: '../a.safetensors' }),
      /"\.\.\/a\.safetensors" for "a", which is not the name of a file/,
    ],
    ['a file is an index', () => write({ a: index }), /is not the name of a file/],
    ['a file is no text', () => write({ a: 7 }), /has "7" for "a"/],
    ['there is no map', () => write(undefined), /weight_map must have the file of each tensor/],
    ['the map is empty', () => write({}), /weight_map must have/],
  ])('are refused where %s', async (_, change, message) => {
    await change();
    const reading = readHuggingFaceFolder(folder);
    await expect(reading).rejects.toThrow(CheckpointError);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(index);
  });

  test.each(['model.safetensors', 'pytorch_model.bin', 'flax_model.msgpack'])('of %s are chosen', (name) => {
    const [stem, ending] = name.split('.') as [string, string];
    const parts = [1, 2, 3].map((part) => `${stem}-0000${part}-of-00003.${ending}`);
    const names = ['config.json', 'tokenizer.json', `${name}.index.json`, ...parts, 'other-00001-of-00002.bin'];
    expect(huggingFaceFiles(listing(...names)).slice(2)).toEqual([`${name}.index.json`, ...parts]);
    expect(() => huggingFaceFiles(listing(...names.filter((other) => other !== parts[1])))).toThrow(
      `must have all files of ${name}.index.json, and has 2 of 3`,
    );
    expect(() => huggingFaceFiles(listing(`${name}.index.json`))).toThrow('and has none');
    // One file with all weights is preferred.
    expect(huggingFaceFiles(listing(...names, name))).toContain(name);
  });
});

describe('findWeights and chooseWeights', () => {
  const names = ['model.safetensors', 'last.ckpt'];

  test('find the first file, or the index that replaces it', async () => {
    expect(await findWeights(folder, names)).toBe(join(folder, 'model.safetensors'));
    expect(chooseWeights([], names)).toEqual(['model.safetensors']);
    await writeFile(join(folder, 'last.ckpt'), '');
    expect(await findWeights(folder, names)).toBe(join(folder, 'last.ckpt'));
    expect(chooseWeights(listing('last.ckpt'), names)).toEqual(['last.ckpt']);
    const [index, shard] = ['model.safetensors.index.json', 'model-00001-of-00001.safetensors'];
    await writeFile(join(folder, index), '');
    expect(await findWeights(folder, names)).toBe(join(folder, index));
    expect(chooseWeights(listing('last.ckpt', shard, index), names)).toEqual([index, shard]);
  });

  test('name the weights of another program', async () => {
    await writeFile(join(folder, 'tf_model.h5'), '');
    await expect(findWeights(folder, names)).rejects.toThrow(
      'must have model.safetensors or last.ckpt, and has only tf',
    );
    expect(() => chooseWeights(listing('tf_model.h5'), names)).toThrow('has only tf_model.h5, weights of TensorFlow');
  });
});

describe('weights of another program', () => {
  test.each<[string, RegExp]>([
    ['tf_model.h5', /tf_model\.h5, weights of TensorFlow\. .*from_tf=True/],
    ['saved_model.pb', /weights of TensorFlow/],
    ['bert_model.ckpt.index', /a checkpoint of TensorFlow 1/],
    ['rust_model.ot', /weights of rust-bert/],
    ['model.onnx', /a graph of ONNX/],
    ['onnx/model.onnx', /a graph of ONNX/],
    ['model.Q4_K_M.gguf', /llama\.cpp/],
    ['adapter_model.safetensors', /an adapter \(LoRA\).*merge_and_unload/],
    ['open_clip_pytorch_model.bin', /weights of OpenCLIP/],
    ['__0_0.distcp', /a checkpoint of torch\.distributed\. .*dcp_to_torch/],
    ['zero_to_fp32.py', /a checkpoint of DeepSpeed\. .*zero_to_fp32\.py/],
    ['manifest.ocdbt', /a checkpoint of Orbax\. .*flax_model\.msgpack/],
    ['diffusion_pytorch_model.safetensors', /weights of diffusers, whose layers have other names/],
  ])('%s are named', async (name, message) => {
    await put('config.json', 'tokenizer.json');
    await mkdir(join(folder, 'onnx'));
    await writeFile(join(folder, name), '');
    const reading = readHuggingFaceFolder(folder);
    await expect(reading).rejects.toThrow(CheckpointError);
    await expect(reading).rejects.toThrow(message);
    expect(() => huggingFaceFiles(listing('config.json', name))).toThrow(message);
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
