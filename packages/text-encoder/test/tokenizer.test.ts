import { toInt32 } from '@dalle-mini/weights';
import { describe, expect, test, vi } from 'vitest';
import { loadTextTokenizer } from '../src/tokenizers/text-tokenizer.js';
import { minilm, reference } from './minilm.js';

const tokenizer = await loadTextTokenizer(minilm.tokenizer);
const CLS = 101;
const SEP = 102;
const UNK = 100;
const CAT = 4937;
const DOG = 3899;
const ids = (caption: string, maxLength = 8) => [...tokenizer.encode([caption], maxLength).ids];

describe("BERT's tokenizer", () => {
  const { captions, maxLength, tensors } = reference;
  const expectedIds = toInt32(tensors.get('ids')!);
  const expectedMask = toInt32(tensors.get('attentionMask')!);
  const row = (index: number, values: Int32Array) => [...values.subarray(index * maxLength, (index + 1) * maxLength)];

  test.each(captions.map((caption, index) => [index, caption.slice(0, 40)] as const))(
    'returns the ids and the mask of the Python reference for caption %i, %j',
    (index) => {
      const batch = tokenizer.encode([captions[index]!], maxLength);
      expect([...batch.ids]).toEqual(row(index, expectedIds));
      expect([...batch.attentionMask]).toEqual(row(index, expectedMask));
    },
  );

  test('puts the captions of a batch one after the other', () => {
    const batch = tokenizer.encode(captions, maxLength);
    expect(batch.ids).toEqual(expectedIds);
    expect(batch.attentionMask).toEqual(expectedMask);
    expect(tokenizer.encode([], maxLength).ids).toHaveLength(0);
  });
});

describe('encode', () => {
  test('keeps [CLS] and [SEP] at every length', () => {
    expect(ids('cat cat cat', 4)).toEqual([CLS, CAT, CAT, SEP]);
    expect(ids('cat cat cat', 2)).toEqual([CLS, SEP]);
    expect(ids('', 4)).toEqual([CLS, SEP, 0, 0]);
  });

  test.each([1, 0, -1, 3.5, Number.NaN])('refuses %d tokens', (maxLength) => {
    expect(() => tokenizer.encode(['cat'], maxLength)).toThrow(/whole number of at least 2/);
  });

  test.each(['\ud83d', '\ude00', 'cat \ud83d', '\ude00\ud83d cat'])(
    'reads the lone surrogate in %j as U+FFFD',
    (caption) => {
      expect(ids(caption)).toEqual(ids(caption.replace(/[\ud83d\ude00]/gu, '\ufffd')));
    },
  );

  test('keeps pairs of surrogates', () => {
    expect(ids('cat 😀 dog')).toEqual([CLS, CAT, UNK, DOG, SEP, 0, 0, 0]);
  });
});

describe('a caption of 100,000 characters', () => {
  // Text after the first words must not matter, and characters without tokens must not hide the words after them.
  test.each<[string, string, number[]]>([
    ['many words', 'cat '.repeat(25_000), [CLS, CAT, CAT, CAT, SEP]],
    ['spaces before the first word', `${' '.repeat(100_000)}cat dog`, [CLS, CAT, DOG, SEP, 0]],
    ['removed characters before the first word', `${'\u200b'.repeat(100_000)}cat dog`, [CLS, CAT, DOG, SEP, 0]],
    ['removed characters within a word', `c${'\u200b'.repeat(100_000)}at dog`, [CLS, CAT, DOG, SEP, 0]],
    ['line ends of every kind', `cat${'\r\n\v\f\u0085\u2028'.repeat(20_000)}dog`, [CLS, CAT, DOG, SEP, 0]],
    ['one word', `${'a'.repeat(100_000)} cat`, [CLS, UNK, CAT, SEP, 0]],
    ['one word of accents', `${'e\u0301'.repeat(50_000)} cat`, [CLS, UNK, CAT, SEP, 0]],
    ['punctuation', '!'.repeat(100_000), [CLS, 999, 999, 999, SEP]],
    ['ideographs', '一'.repeat(100_000), [CLS, 1740, 1740, 1740, SEP]],
    ['emoji', '😀'.repeat(50_000), [CLS, UNK, SEP, 0, 0]],
  ])('of %s has the tokens of its beginning', (_, caption, expected) => {
    expect(caption.length).toBeGreaterThanOrEqual(100_000);
    expect(ids(caption, 5)).toEqual(expected);
  });

  test('is not read beyond the words that fill the length', () => {
    const spy = vi.spyOn(String.prototype, 'normalize');
    ids(`${'cät '.repeat(25_000)}`);
    const read = spy.mock.contexts.reduce<number>((sum, text) => sum + String(text).length, 0);
    spy.mockRestore();
    expect(read).toBeGreaterThan(7 * 4);
    expect(read).toBeLessThan(1000);
  });
});

describe('loadTextTokenizer', () => {
  const { padding: _, ...withoutPadding } = minilm.tokenizer as Record<string, unknown>;

  test.each([
    ['its name', {}],
    ['tokenizer_config.json', { pad_token: '[PAD]' }],
    ['tokenizer_config.json, as an object', { pad_token: { content: '[PAD]' } }],
  ])('finds the padding token by %s', async (_name, config) => {
    const { ids } = (await loadTextTokenizer(withoutPadding, config)).encode([''], 3);
    expect([...ids]).toEqual([CLS, SEP, 0]);
  });

  test('refuses a tokenizer without a padding token', async () => {
    await expect(loadTextTokenizer(withoutPadding, { pad_token: '<pad>' })).rejects.toThrow(
      /tokenizer_config.json: pad_token must name a padding token, and tokenizer.json has no token "<pad>"\. Give/,
    );
    const model = { type: 'WordLevel', unk_token: 'a', vocab: { a: 0 } };
    await expect(loadTextTokenizer({ model })).rejects.toThrow(
      'tokenizer.json: padding must name a padding token. Give its tokenizer_config.json with a pad_token',
    );
  });

  test('refuses what is not a tokenizer', async () => {
    await expect(loadTextTokenizer({ padding: null })).rejects.toThrow();
  });
});
