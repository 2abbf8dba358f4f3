import { clipTokenizerJson, loadClipTokenizer } from '@dalle-mini/clip';
import { describe, expect, it } from 'vitest';
import { captions, tokenizerFiles } from './fixtures.js';

const { tokenizer: file, vocabulary, merges } = tokenizerFiles;
const [START, END] = [572, 573];
const LENGTH = 77;

describe.each([
  ['tokenizer.json', file],
  ['vocab.json and merges.txt', clipTokenizerJson(vocabulary, merges)],
])("CLIP's tokenizer from %s", (_, json) => {
  const tokenizer = loadClipTokenizer(json);

  it.each(captions.map(({ caption, ids }, i) => [i, caption.slice(0, 40), caption, ids] as const))(
    'gives the ids of CLIPTokenizer for caption %i, %j',
    (_, __, caption, ids) => {
      expect([...tokenizer.encode([caption], LENGTH)]).toEqual([...ids, ...Array(LENGTH - ids.length).fill(END)]);
    },
  );

  it('puts the captions of a batch one after the other', () => {
    const rows = captions.flatMap(({ caption }) => [...tokenizer.encode([caption], LENGTH)]);
    expect([
      ...tokenizer.encode(
        captions.map(({ caption }) => caption),
        LENGTH,
      ),
    ]).toEqual(rows);
    expect(tokenizer.encode([], LENGTH)).toHaveLength(0);
  });
});

describe('encode', () => {
  const tokenizer = loadClipTokenizer(file);
  const a = vocabulary['a</w>']!;

  it('keeps the start and the end token whatever the length', () => {
    expect(tokenizer.endToken).toBe(END);
    expect([...tokenizer.encode(['a a a'], 4)]).toEqual([START, a, a, END]);
    expect([...tokenizer.encode(['a a a'], 2)]).toEqual([START, END]);
    expect([...tokenizer.encode([''], 4)]).toEqual([START, END, END, END]);
  });

  it.each([1, 0, 3.5, Number.NaN])('refuses %d tokens', (maxLength) => {
    expect(() => tokenizer.encode(['a'], maxLength)).toThrow(/whole number of at least 2/);
  });

  it('reads a lone surrogate as U+FFFD', () => {
    expect(tokenizer.encode(['a\ud83d b \ude00'], 16)).toEqual(tokenizer.encode(['a\ufffd b \ufffd'], 16));
  });

  it.each([
    ['many words', 'a '.repeat(50_000)],
    ['one word', 'a'.repeat(100_000)],
    ['spaces before the first word', `${' '.repeat(100_000)}a`],
  ])('takes 100,000 characters of %s', (_, caption) => {
    expect(tokenizer.encode([caption], LENGTH)).toHaveLength(LENGTH);
  });
});

describe('loadClipTokenizer', () => {
  const model = file.model as object;

  it.each<[string, object, RegExp]>([
    ['a model of another kind', { ...file, model: { ...model, type: 'WordPiece' } }, /type "WordPiece"/],
    [
      'no end token',
      clipTokenizerJson(Object.fromEntries(Object.entries(vocabulary).slice(0, -1)), merges),
      /no token <\|endoftext\|>/,
    ],
    [
      'ids past the end token',
      clipTokenizerJson({ ...vocabulary, more: END + 1 }, merges),
      /ids up to 574, and <\|endoftext\|> is 573/,
    ],
  ])('refuses a file with %s', (_, json, message) => {
    expect(() => loadClipTokenizer(json)).toThrow(message);
  });
});

describe('clipTokenizerJson', () => {
  it('names a line that is no pair', () => {
    expect(() => clipTokenizerJson(vocabulary, '#version: 0.2\nt h\nthe\n')).toThrow(/the line "the"/);
  });
});
