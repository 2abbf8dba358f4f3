import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import {
  fromPretrained,
  ModelFolderError,
  resolveModel,
  writeModelFolder,
  writePublishedModel,
} from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { listed } from '@dalle-mini/testing/published';
import { captions, greedy, publishedParts, publishedTensors, tokensOf } from '@dalle-mini/testing/published-model';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { fromFloat32, toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile, writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { beforeAll, describe, expect, test } from 'vitest';

let root: string;
const at = (...path: string[]) => join(root, ...path);
beforeAll(async () => {
  root = await temporaryFolder();
});

const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

describe('writePublishedModel', () => {
  test('writes a folder that fromPretrained opens, with the same tokens and images', async () => {
    const parts = publishedParts();
    await writePublishedModel(at('published'), parts);
    const model = await fromPretrained(at('published'), { threads: 1, vqgan: at('published', 'vqgan') });
    expect(await greedy(model, 1)).toEqual(tokensOf('greedy_tokens'));
    expect(await greedy(model, 3)).toEqual(tokensOf('guided_greedy_tokens'));
    const [picture] = await model.generate(captions[0]!, { seed: 1 });
    await model.dispose();
    const runtime = new OnnxRuntime({ threads: 1 });
    const { config, parameters } = parts.imageTokenizer;
    const [image] = await new VqganTokenizer(config, parameters, { runtime }).decode([picture!.tokens]);
    await runtime.dispose();
    expect(picture!.image).toEqual(image);
  });

  test('writes the published tensors, byte for byte', async () => {
    await writePublishedModel(at('same'), publishedParts());
    const { format, tensors } = await readCheckpointFile(at('same', 'flax_model.msgpack'));
    expect(format).toBe('flax');
    expect(listed(tensors)).toEqual(listed(publishedTensors()));
  });

  test('sets normalize_text if the tokenizer has a word list', async () => {
    const { textEncoder, decoder } = publishedParts();
    for (const words of [undefined, 'hdvo 3\n']) {
      const files = words === undefined ? {} : { 'enwiki-words-frequency.txt': words };
      const tokenizerFiles = { ...textEncoder.tokenizerFiles, ...files };
      await writePublishedModel(at('words'), { textEncoder: { ...textEncoder, tokenizerFiles }, decoder });
      expect((await readJson(at('words', 'config.json'))).normalize_text).toBe(words !== undefined);
      expect(await readdir(at('words'))).toEqual(
        ['config.json', 'flax_model.msgpack', ...Object.keys(tokenizerFiles)].sort(),
      );
    }
  });

  test('replaces a published model, and no other folder', async () => {
    const parts = publishedParts();
    await writePublishedModel(at('replaced'), parts);
    await mkdir(at('replaced', 'converted'));
    await writePublishedModel(at('replaced'), parts);
    expect(await readdir(at('replaced'))).not.toContain('converted');
    await writeFile(at('replaced', 'thesis.txt'), 'precious');
    await expect(writePublishedModel(at('replaced'), parts)).rejects.toThrow(
      /must have only the files of a model, not thesis\.txt/,
    );
  });

  test('refuses parts that do not match or that the published code lacks, and writes nothing', async () => {
    const { textEncoder, decoder, imageTokenizer } = publishedParts();
    const narrow = { ...textEncoder, config: { ...textEncoder.config, width: 16 } };
    const refused = writePublishedModel(at('refused'), { textEncoder: narrow, decoder });
    await expect(refused).rejects.toBeInstanceOf(ModelFolderError);
    await expect(refused).rejects.toThrow("The decoder's textWidth must be 16, the width of the text encoder, not 32.");
    const finer = { ...imageTokenizer, config: { ...imageTokenizer.config, normGroups: 16 } };
    await expect(writePublishedModel(at('refused'), { textEncoder, decoder, imageTokenizer: finer })).rejects.toThrow(
      'VQ-GAN config: normGroups must be 32 to be exported for vqgan-jax',
    );
    await expect(stat(at('refused'))).rejects.toThrow('ENOENT');
    expect((await readdir(root)).filter((name) => name.includes('refused'))).toEqual([]);
  });
});

describe('writeModelFolder, for a DALL·E Mini', () => {
  test.each(['fp32', 'fp16'] as const)('writes a folder that fromPretrained opens, in %s', async (dtype) => {
    await writeModelFolder(at(dtype), { name: 'own', ...publishedParts(), sampling: { topK: 5 } }, { dtype });
    const model = await fromPretrained(at(dtype), { threads: 1 });
    expect(model.sampling).toEqual({ topK: 5 });
    expect(await greedy(model, 1)).toEqual(tokensOf('greedy_tokens'));
    await model.dispose();
  });

  test('names a missing parameter', async () => {
    const { textEncoder, ...others } = publishedParts();
    const parameters = new Map(textEncoder.parameters);
    parameters.delete('final_ln.bias');
    const parts = { name: 'own', ...others, textEncoder: { ...textEncoder, parameters } };
    await expect(writeModelFolder(at('incomplete'), parts)).rejects.toThrow(
      'The text encoder: The parameters must be those of the graph: final_ln.bias is missing.',
    );
  });
});

describe('which: ema', () => {
  /** The VQ-GAN of the tiny model, with an average whose values are all 0.5. */
  const withAverage = async () => {
    await writePublishedModel(at('averaged'), publishedParts());
    await mkdir(at('vqgan-average'), { recursive: true });
    const { tensors } = await readCheckpointFile(at('averaged', 'vqgan', 'flax_model.msgpack'));
    const average = [...tensors].map(([name, { shape }]) => {
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
      return [`ema/${name}`, fromFloat32(values, shape)] as const;
    });
    await writeFlaxCheckpointFile(at('vqgan-average', 'flax_model.msgpack'), new Map([...tensors, ...average]));
    await copyFile(at('averaged', 'vqgan', 'config.json'), at('vqgan-average', 'config.json'));
  };
  const vqganValues = async (which?: 'model' | 'ema') => {
    const folder = await resolveModel(at('averaged'), { vqgan: at('vqgan-average'), which });
    const { tensors } = await readCheckpointFile(join(folder, 'vqgan', 'model.safetensors'));
    return new Set([...tensors.values()].flatMap((tensor) => [...toFloat32(tensor)]));
  };

  test('reads the average of the file that has one, and the weights of the others', async () => {
    await withAverage();
    expect(await vqganValues('ema')).toEqual(new Set([0.5]));
    expect((await vqganValues()).size).toBeGreaterThan(100);
    expect(await vqganValues('model')).toEqual(await vqganValues());
  });

  test('is refused if no file has an average, and for a model folder', async () => {
    await withAverage();
    const options = { vqgan: at('averaged', 'vqgan'), which: 'ema' } as const;
    await expect(resolveModel(at('averaged'), options)).rejects.toThrow(
      /vqgan.flax_model\.msgpack: The file has no average of the weights \(EMA\)\..*Set which to "model"/,
    );
    await expect(resolveModel('emoji', { which: 'ema' })).rejects.toThrow(
      /model is a model folder, whose weights have no average \(EMA\)\. Leave which out\./,
    );
    expect((await resolveModel('emoji', { which: 'model' })).endsWith('model')).toBe(true);
  });
});
