import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileError } from '@dalle-mini/core/node';
import {
  dalleMiniTokenizerFiles,
  neededTokenizerFiles,
  readDalleMiniTokenizer,
  wordsFile,
} from '@dalle-mini/text-encoder/node';
import { dalleMiniTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, content: unknown) =>
  writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));

/** BPE of a few letters: "Ġ" is a space. */
const vocab = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, Ġ: 4, a: 5, b: 6, c: 7, ab: 8, Ġab: 9, t: 10, s: 11 };
const merges = '#version: 0.2\na b\nĠ ab\n';

describe('the files of a published tokenizer', () => {
  test('that are needed are tokenizer.json, or vocab.json and merges.txt, and the word list if it exists', () => {
    expect(neededTokenizerFiles([...dalleMiniTokenizerFiles, 'config.json'])).toEqual([
      'tokenizer.json',
      'tokenizer_config.json',
      wordsFile,
    ]);
    expect(neededTokenizerFiles(['merges.txt', 'vocab.json', 'config.json'])).toEqual(['vocab.json', 'merges.txt']);
    expect(neededTokenizerFiles(['config.json'])).toEqual([]);
  });

  test('are read from vocab.json and merges.txt', async () => {
    await write('vocab.json', vocab);
    await write('merges.txt', merges);
    const tokenizer = await readDalleMiniTokenizer(folder);
    expect([...tokenizer.encode(['ab c'], 8).ids]).toEqual([0, 8, 4, 7, 2, 1, 1, 1]);
  });

  test('normalize captions if there is a word list, unless normalize is false', async () => {
    await write('vocab.json', vocab);
    await write('merges.txt', merges);
    await write(wordsFile, 'cats 100\nab 90\n');
    const [normalizing, plain] = await Promise.all([
      readDalleMiniTokenizer(folder),
      readDalleMiniTokenizer(folder, { normalize: false }),
    ]);
    const ids = (tokenizer: typeof plain, caption: string) => [...tokenizer.encode([caption], 8).ids];
    // The published normalizer begins captions with a space.
    expect(ids(normalizing, 'AB')).toEqual(ids(plain, ' ab'));
    expect(ids(plain, 'AB')).not.toEqual(ids(plain, ' ab'));
  });

  test('may come from anywhere that has their texts', async () => {
    const files = new Map([
      ['vocab.json', JSON.stringify(vocab)],
      ['merges.txt', merges],
    ]);
    const tokenizer = await dalleMiniTokenizer(async (name) => files.get(name), {}, 'model');
    expect([...tokenizer.encode(['ab c'], 6).ids]).toEqual([0, 8, 4, 7, 2, 1]);
    files.set('vocab.json', '[');
    const damaged = dalleMiniTokenizer(async (name) => files.get(name), {}, 'model');
    await expect(damaged).rejects.toThrow('model/vocab.json');
  });

  test('are named if they are missing', async () => {
    await expect(readDalleMiniTokenizer(folder)).rejects.toThrow(FileError);
    await write('vocab.json', vocab);
    await expect(readDalleMiniTokenizer(folder)).rejects.toThrow(/merges\.txt: there is no such file/);
  });
});
