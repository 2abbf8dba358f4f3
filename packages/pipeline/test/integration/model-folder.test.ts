import { cp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Runtime, RuntimeUnavailableError } from '@dalle-mini/graph';
import { fromPretrained } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
let whole: string;
let copy: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  whole = await writeTinyModel(folder);
  copy = join(folder, 'copy');
});

const inCopy = (...path: string[]) => join(copy, ...path);
const changeJson = async (path: string, change: (json: Record<string, never>) => void) => {
  const json = JSON.parse(await readFile(path, 'utf8'));
  change(json);
  await writeFile(path, JSON.stringify(json));
};
const changeWeights = async (path: string, change: (tensors: Checkpoint) => void) => {
  const { tensors } = await readCheckpointFile(path);
  change(tensors);
  await writeCheckpointFile(path, tensors);
};

test('a runtime that cannot be loaded is not blamed on the folder', async () => {
  const error = new RuntimeUnavailableError('ONNX Runtime cannot be loaded.');
  const runtime: Runtime = { name: 'none', compile: () => Promise.reject(error), dispose: async () => {} };
  await expect(fromPretrained(whole, { runtime })).rejects.toBe(error);
});

describe('a damaged model folder', () => {
  beforeEach(async () => {
    await rm(copy, { recursive: true, force: true });
    await cp(whole, copy, { recursive: true });
  });

  /** Returns the error message of loading. It must be one line and name the file. */
  async function failure(...path: string[]): Promise<string> {
    const error = await fromPretrained(copy, { threads: 1 }).then(
      async (model) => {
        await model.dispose();
        return undefined;
      },
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(Error);
    expect(error!.message).toContain(join(copy, ...path));
    expect(error!.message).not.toContain('\n');
    return error!.message;
  }

  test('is not a model without model.json', async () => {
    await rm(inCopy('model.json'));
    expect(await failure()).toMatch(
      /^There is no model at .*\. The folder must have a model\.json; the config\.json, flax_model\.msgpack/,
    );
  });

  test.each([
    ['vqgan', 'config.json'],
    ['vqgan', 'model.safetensors'],
    ['text-encoder', 'config.json'],
    ['text-encoder', 'tokenizer.json'],
    ['text-encoder', 'model.safetensors'],
    ['decoder', 'config.json'],
    ['decoder', 'model.safetensors'],
  ])('names a missing %s/%s', async (part, file) => {
    await rm(inCopy(part, file));
    expect(await failure(part, file)).toContain('there is no such file');
  });

  test.each([
    'model.json',
    'vqgan/config.json',
    'text-encoder/config.json',
    'text-encoder/tokenizer.json',
    'decoder/config.json',
  ])('names %s if it is not a JSON object', async (file) => {
    const text = await readFile(inCopy(file), 'utf8');
    for (const cut of [text.slice(0, -10), '', '[1]', 'null']) {
      await writeFile(inCopy(file), cut);
      expect(await failure(file)).toMatch(/must be JSON|is not JSON|must be a JSON object|must hold an object/);
    }
  });

  test.each(['vqgan', 'text-encoder', 'decoder'])('names the weights of %s if they are truncated', async (part) => {
    const file = await open(inCopy(part, 'model.safetensors'), 'r+');
    await file.truncate((await file.stat()).size - 7);
    await file.close();
    expect(await failure(part, 'model.safetensors')).toMatch(/truncated|corrupt/);
  });

  test.each([
    ['vqgan', 'quantize.embedding.weight'],
    ['decoder', 'lm_head.weight'],
    ['text-encoder', 'embeddings.word_embeddings.weight'],
  ])('names the weights of %s if a tensor has another shape or is missing', async (part, name) => {
    const path = inCopy(part, 'model.safetensors');
    await changeWeights(path, (tensors) => tensors.set(name, fromFloat32(new Float32Array(6), [2, 3])));
    expect(await failure(part)).toMatch(/must have shape .*, not \[2, 3\].*of the same model/);
    await changeWeights(path, (tensors) => tensors.delete(name));
    expect(await failure(part)).toContain(name);
  });

  test('names an unknown version', async () => {
    await changeJson(inCopy('model.json'), (json) => Object.assign(json, { version: 2 }));
    expect(await failure('model.json')).toMatch(/version must be 1, not 2\. Update/);
  });

  test.each([
    [{ format: 'other' }, 'format must be "dalle-mini-model", not "other"'],
    [{ name: 1 }, 'name must be a string that is not empty, not 1.'],
    [{ decoder: { type: 'diffusion', folder: 'decoder' } }, 'decoder.type must be "dalle-mini"'],
    [
      { decoder: { type: 'dalle-mini', folder: '../decoder' } },
      'decoder.folder must be the name of a folder next to it',
    ],
    [{ decoder: { type: 'dalle-mini', folder: '..' } }, 'decoder.folder must be the name of a folder next to it'],
    [{ decoder: undefined }, 'decoder is missing; it must be an object.'],
    [
      { textEncoder: { type: 'bert', folder: 'text-encoder' } },
      'textEncoder.maxLength is missing; it must be a whole number from 1 to',
    ],
    [{ sampling: { temperature: -1 } }, 'sampling.temperature must be a number of at least 0, not -1.'],
    [{ sampling: { topk: 5 } }, 'sampling.topk is not known. Did you mean topK?'],
  ])('names the wrong field of a model.json with %j', async (change, message) => {
    await changeJson(inCopy('model.json'), (json) => Object.assign(json, change));
    expect(await failure('model.json')).toContain(message);
  });

  test('names the config of a part with an invalid field', async () => {
    await changeJson(inCopy('decoder', 'config.json'), (json) => Object.assign(json, { heads: 3 }));
    expect(await failure('decoder', 'config.json')).toContain('width must be a multiple of the 3 heads');
  });

  test('names the part that does not match model.json', async () => {
    await changeJson(inCopy('model.json'), (json) =>
      Object.assign(json, { textEncoder: { type: 'bert', folder: 'text-encoder', maxLength: 17 } }),
    );
    expect(await failure('text-encoder')).toContain('not 17');
  });
});
