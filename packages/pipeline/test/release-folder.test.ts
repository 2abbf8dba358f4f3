import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { fromPretrained, ModelFolderError, writeModelFolder, writeRelease } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { listed } from '@dalle-mini/testing/published';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { beforeAll, describe, expect, test } from 'vitest';
import { captions, greedy, publishedParts, publishedTensors, tokensOf } from './published-parts.js';

let root: string;
const at = (...path: string[]) => join(root, ...path);
beforeAll(async () => {
  root = await temporaryFolder();
});

const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

describe('writeRelease', () => {
  test('writes what fromPretrained opens, to the same tokens and pictures', async () => {
    const parts = publishedParts();
    await writeRelease(at('release'), parts);
    const model = await fromPretrained(at('release'), { threads: 1, vqgan: at('release', 'vqgan') });
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

  test('writes the tensors of the published release, byte for byte', async () => {
    await writeRelease(at('same'), publishedParts());
    const { format, tensors } = await readCheckpointFile(at('same', 'flax_model.msgpack'));
    expect(format).toBe('flax');
    expect(listed(tensors)).toEqual(listed(publishedTensors()));
  });

  test('says that captions are normalized where the file for it is given', async () => {
    const { textEncoder, decoder } = publishedParts();
    for (const words of [undefined, 'hdvo 3\n']) {
      const files = words === undefined ? {} : { 'enwiki-words-frequency.txt': words };
      const tokenizerFiles = { ...textEncoder.tokenizerFiles, ...files };
      await writeRelease(at('words'), { textEncoder: { ...textEncoder, tokenizerFiles }, decoder });
      expect((await readJson(at('words', 'config.json'))).normalize_text).toBe(words !== undefined);
      expect(await readdir(at('words'))).toEqual(
        ['config.json', 'flax_model.msgpack', ...Object.keys(tokenizerFiles)].sort(),
      );
    }
  });

  test('replaces a release, and nothing else', async () => {
    const parts = publishedParts();
    await writeRelease(at('replaced'), parts);
    await mkdir(at('replaced', 'converted'));
    await writeRelease(at('replaced'), parts);
    expect(await readdir(at('replaced'))).not.toContain('converted');
    await writeFile(at('replaced', 'thesis.txt'), 'precious');
    await expect(writeRelease(at('replaced'), parts)).rejects.toThrow(
      /holds thesis.txt, which does not belong to a model/,
    );
  });

  test('refuses parts that do not belong together or that the published code does not have, and writes nothing', async () => {
    const { textEncoder, decoder, imageTokenizer } = publishedParts();
    const narrow = { ...textEncoder, config: { ...textEncoder.config, width: 16 } };
    const refused = writeRelease(at('refused'), { textEncoder: narrow, decoder });
    await expect(refused).rejects.toBeInstanceOf(ModelFolderError);
    await expect(refused).rejects.toThrow('its decoder reads hidden states of width 32, and those of its text encoder');
    const finer = { ...imageTokenizer, config: { ...imageTokenizer.config, normGroups: 16 } };
    await expect(writeRelease(at('refused'), { textEncoder, decoder, imageTokenizer: finer })).rejects.toThrow(
      'VQ-GAN config: normGroups must be 32 to be exported for vqgan-jax',
    );
    await expect(stat(at('refused'))).rejects.toThrow('ENOENT');
    expect((await readdir(root)).filter((name) => name.includes('refused'))).toEqual([]);
  });
});

describe('writeModelFolder, of a DALL·E Mini', () => {
  test.each(['fp32', 'fp16'] as const)('writes what fromPretrained opens, in %s', async (dtype) => {
    await writeModelFolder(at(dtype), { name: 'own', ...publishedParts(), sampling: { topK: 5 } }, { dtype });
    const model = await fromPretrained(at(dtype), { threads: 1 });
    expect(model.sampling).toEqual({ topK: 5 });
    expect(await greedy(model, 1)).toEqual(tokensOf('greedy_tokens'));
    await model.dispose();
  });

  test('names a value that is missing', async () => {
    const { textEncoder, ...others } = publishedParts();
    const parameters = new Map(textEncoder.parameters);
    parameters.delete('final_ln.bias');
    const parts = { name: 'own', ...others, textEncoder: { ...textEncoder, parameters } };
    await expect(writeModelFolder(at('incomplete'), parts)).rejects.toThrow(
      'The text encoder: The parameters must be those of the graph: final_ln.bias is missing.',
    );
  });
});
