import { loadClipTokenizer } from '@dalle-mini/clip';
import { clipTokenizerJson } from '@dalle-mini/text-encoder/clip';
import { describe, expect, test } from 'vitest';
import { captions, tokenizerFiles } from './fixtures.js';

const { tokenizer: file, vocabulary, merges } = tokenizerFiles;
const [start, end] = [572, 573];
const maxLength = 77;
const fromJson = await loadClipTokenizer(file);

describe.each([
  ['tokenizer.json', fromJson],
  ['vocab.json and merges.txt', await loadClipTokenizer(clipTokenizerJson(vocabulary, merges))],
])("CLIP's tokenizer from %s", (_, tokenizer) => {
  test.each(captions.map(({ caption, ids }, i) => [i, caption.slice(0, 40), caption, ids] as const))(
    'gives the ids of CLIPTokenizer for caption %i, %j',
    (_, __, caption, ids) => {
      expect([...tokenizer.encode([caption], maxLength)]).toEqual([...ids, ...Array(maxLength - ids.length).fill(end)]);
    },
  );

  test('puts the captions of a batch one after the other', () => {
    const rows = captions.flatMap(({ caption }) => [...tokenizer.encode([caption], maxLength)]);
    expect([
      ...tokenizer.encode(
        captions.map(({ caption }) => caption),
        maxLength,
      ),
    ]).toEqual(rows);
    expect(tokenizer.encode([], maxLength)).toHaveLength(0);
  });
});

describe('encode', () => {
  const tokenizer = fromJson;
  const a = vocabulary['a</w>']!;

  test('keeps the start and the end token whatever the length', () => {
    expect(tokenizer.endToken).toBe(end);
    expect([...tokenizer.encode(['a a a'], 4)]).toEqual([start, a, a, end]);
    expect([...tokenizer.encode(['a a a'], 2)]).toEqual([start, end]);
    expect([...tokenizer.encode([''], 4)]).toEqual([start, end, end, end]);
  });

  test.each([1, 0, 3.5, Number.NaN])('refuses %d tokens', (maxLength) => {
    expect(() => tokenizer.encode(['a'], maxLength)).toThrow(/whole number of at least 2/);
  });

  test('reads a lone surrogate as U+FFFD', () => {
    expect(tokenizer.encode(['a\ud83d b \ude00'], 16)).toEqual(tokenizer.encode(['a\ufffd b \ufffd'], 16));
  });

  test.each([
    ['many words', 'a '.repeat(50_000)],
    ['one word', 'a'.repeat(100_000)],
    ['spaces before the first word', `${' '.repeat(100_000)}a`],
  ])('takes 100,000 characters of %s', (_, caption) => {
    expect(tokenizer.encode([caption], maxLength)).toHaveLength(maxLength);
  });
});

describe('loadClipTokenizer', () => {
  const model = file.model as object;

  test.each<[string, object, RegExp]>([
    [
      'a model of another kind',
      { ...file, model: { ...model, type: 'WordPiece' } },
      /must be a BPE with a vocabulary, as CLIP's is, not of type "WordPiece"/,
    ],
    [
      'no end token',
      clipTokenizerJson(Object.fromEntries(Object.entries(vocabulary).slice(0, -1)), merges),
      /must have the token <\|endoftext\|>/,
    ],
    [
      'ids past the end token',
      clipTokenizerJson({ ...vocabulary, more: end + 1 }, merges),
      /must have <\|endoftext\|> as its largest id, not 573 of 574/,
    ],
  ])('refuses a file with %s', async (_, json, message) => {
    await expect(loadClipTokenizer(json)).rejects.toThrow(message);
  });
});

describe('clipTokenizerJson', () => {
  test('names a line that is not a pair of tokens', () => {
    expect(() => clipTokenizerJson(vocabulary, '#version: 0.2\nt h\nthe\n')).toThrow(
      /must be two tokens with a space between them, not "the"/,
    );
  });
});
