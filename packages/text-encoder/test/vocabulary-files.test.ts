import {
  charBpeTokenizerJson,
  loadTextTokenizer,
  minDalleTokenizer,
  normalizingTokenizer,
  TextNormalizer,
  type TextTokenizer,
  tokenizerFromBpeFiles,
  tokenizerFromFiles,
  tokenizerFromWordPieceFiles,
  vocabularySizeOf,
} from '@dalle-mini/text-encoder/tokenizers';
import { describe, expect, test } from 'vitest';
import { bpeFiles, expectForEvery, maxLength, type Row, read, rows, wordFrequencies } from './captions.js';
import { families, readModel, tokens, vocabularies } from './hugging-face.js';

const bpe = await tokenizerFromBpeFiles(bpeFiles);
const minDalle = await minDalleTokenizer(bpeFiles);
const { vocab, merges } = bpeFiles;
const wordPiece = (name: string, lowercase: boolean) =>
  tokenizerFromWordPieceFiles({ vocab: read(`${name}/vocab.txt`), lowercase });
const ids = (tokenizer: TextTokenizer, caption: string, length = maxLength) => [
  ...tokenizer.encode([caption], length).ids,
];

describe.each<[string, keyof Row['tokens'], TextTokenizer, number]>([
  ['BartTokenizerFast, from vocab.json and merges.txt', 'bpe', bpe, vocab['<pad>']!],
  ['BartTokenizerFast, from tokenizer.json', 'bpe', await loadTextTokenizer(JSON.parse(read('bpe/tokenizer.json'))), 1],
  ['BertTokenizerFast in lower case', 'uncased', await wordPiece('uncased', true), 0],
  ['BertTokenizerFast', 'cased', await wordPiece('cased', false), 0],
  ['min-dalle', 'minDalle', minDalle, 1],
])('the tokenizer of %s', (_, name, tokenizer, padId) => {
  test('has the ids and the mask of every caption', () => {
    expectForEvery(rows, ({ caption, tokens }) => {
      const expected = tokens[name];
      const batch = tokenizer.encode([caption], maxLength);
      expect([...batch.ids]).toEqual([...expected, ...Array(maxLength - expected.length).fill(padId)]);
      expect([...batch.attentionMask]).toEqual(Array.from(batch.ids, (__, place) => (place < expected.length ? 1 : 0)));
    });
  });

  test('is fast for 100,000 characters without a space', () => {
    expect(ids(tokenizer, 'cat'.repeat(33_334))).toHaveLength(maxLength);
  });

  test.each([1, -1, 2.5, Number.NaN])('refuses %d tokens', (length) => {
    expect(() => tokenizer.encode(['cat'], length)).toThrow(/whole number of at least 2/);
  });
});

describe("Hugging Face's tokenizers", () => {
  const { captions, maxTokens, tokenizers } = tokens;
  const idsOf = (tokenizer: TextTokenizer) =>
    captions.map((caption) => {
      const { ids, attentionMask } = tokenizer.encode([caption], maxTokens);
      return [...ids.subarray(0, attentionMask.lastIndexOf(1) + 1)];
    });

  test.each(tokenizers)(
    'have the ids of $vocabulary with $tokenizerConfig',
    async ({ vocabulary, tokenizerConfig, ids }) => {
      expect(captions.length).toBeGreaterThan(50);
      expect(idsOf(await tokenizerFromFiles(vocabularies[vocabulary], tokenizerConfig))).toEqual(ids);
    },
  );

  test.each(families)('have the ids of %s, from tokenizer.json', async (family) => {
    const { tokenizer, vocabulary } = readModel(family);
    expect(idsOf(await tokenizerFromFiles(tokenizer))).toEqual(
      tokenizers.find((row) => row.vocabulary === vocabulary)!.ids,
    );
  });

  test('are refused if a file is missing', async () => {
    await expect(tokenizerFromFiles({ vocab: vocabularies.bpe.vocab })).rejects.toThrow('Give the text of merges.txt');
    await expect(tokenizerFromFiles({ merges: vocabularies.bpe.merges, vocab: undefined })).rejects.toThrow(
      'Give the parsed vocab.json',
    );
  });
});

describe('DalleBartProcessor', () => {
  test('has the ids of every caption', () => {
    expectForEvery(rows, ({ random, caption, tokens }) => {
      const drawn = random.values();
      const normalizer = new TextNormalizer(wordFrequencies, { random: () => drawn.next().value! });
      const text = caption === '' ? normalizer.normalize('') : caption;
      const tokenizer = caption === '' ? bpe : normalizingTokenizer(bpe, normalizer);
      const batch = tokenizer.encode([text], maxLength);
      const length = batch.attentionMask.reduce((sum, mask) => sum + mask);
      expect([...batch.ids.subarray(0, length)]).toEqual(tokens.processor);
    });
  });

  test('does not normalize the empty caption, which is the unconditional one', () => {
    const tokenizer = normalizingTokenizer(bpe, new TextNormalizer(wordFrequencies));
    expect(ids(tokenizer, '', 4)).toEqual([vocab['<s>'], vocab['</s>'], vocab['<pad>'], vocab['<pad>']]);
  });
});

describe('a caption that is too long', () => {
  const long = 'cat '.repeat(100);

  test('keeps its end token with BART, and loses it with min-dalle', () => {
    expect(ids(bpe, long).at(-1)).toBe(vocab['</s>']);
    expect(ids(minDalle, long).at(-1)).not.toBe(vocab['</s>']);
  });
});

describe('vocab.json', () => {
  const make = [tokenizerFromBpeFiles, minDalleTokenizer];

  test.each(make)('that is not a vocabulary is refused by %o', async (tokenizer) => {
    for (const wrong of [undefined, null, 'text', [], {}]) {
      const given = { vocab: wrong as unknown as Record<string, number>, merges };
      await expect(tokenizer(given)).rejects.toThrow(
        /vocab.json: the vocabulary must (be an object|have tokens).*\. Give the parsed vocab\.json/,
      );
    }
    await expect(tokenizer({ vocab: { ...vocab, cat: 1.5 }, merges })).rejects.toThrow(
      /vocab.json: the vocabulary\["cat"\] must be a whole number .*, not 1\.5\. Give the parsed vocab.json/,
    );
    await expect(tokenizer({ vocab: { model: {} } as never, merges })).rejects.toThrow(
      /vocab.json: the vocabulary\["model"\] must be a whole number .*, not an object\. Give the parsed vocab.json/,
    );
  });

  test('that lacks special tokens is refused', async () => {
    const { '<s>': _, '<unk>': __, ...rest } = vocab;
    await expect(tokenizerFromBpeFiles({ vocab: rest, merges })).rejects.toThrow(
      /must have the tokens <s>\. Give the file of the model/,
    );
    await expect(minDalleTokenizer({ vocab: rest, merges })).rejects.toThrow(/must have the tokens <s>, <unk>\. Give/);
  });

  test('may lack special tokens that only captions contain', async () => {
    const { '<mask>': _, ...rest } = vocab;
    expect(ids(await tokenizerFromBpeFiles({ vocab: rest, merges }), 'cat', 4)).toEqual(ids(bpe, 'cat', 4));
  });
});

describe('merges.txt', () => {
  test('may have a header alone: every character is a token', async () => {
    const characters = await tokenizerFromBpeFiles({ vocab, merges: '#version: 0.2\n' });
    const known = vocab as Record<string, number>;
    expect(ids(characters, 'cat', 6)).toEqual(
      ['<s>', 'c', 'a', 't', '</s>', '<pad>'].map((token) => known[token] ?? known['<unk>']),
    );
  });

  test.each<[string, string, RegExp]>([
    ['empty', '', /merges.txt: the text must have lines, but has none\. Give the text of merges.txt/],
    ['of one token per line', '#version: 0.2\nĠ a\ncat\n', /merges.txt: line 3 must be two tokens .*, not "cat"/],
    ['of three', 'Ġ a b\n', /merges.txt: line 1 must be two tokens .*, not "Ġ a b"/],
    [
      'JSON',
      JSON.stringify({ version: '1.0', model: 'x'.repeat(100) }),
      /merges.txt: line 1 must be two tokens .*, not .{3,90}"… \(\d+ characters\)\./,
    ],
    [
      'of another model',
      '#version: 0.2\nΩΩ zz\n',
      /line 2 has the token "ΩΩ", which the vocabulary lacks\. Give the vocab.json/,
    ],
  ])('that is %s is refused', async (_, text, message) => {
    await expect(tokenizerFromBpeFiles({ vocab, merges: text })).rejects.toThrow(message);
    await expect(minDalleTokenizer({ vocab, merges: text })).rejects.toThrow(message);
  });

  test('may have Windows line ends, and no header', async () => {
    for (const text of [merges.replaceAll('\n', '\r\n'), merges.slice(merges.indexOf('\n') + 1)]) {
      expect(ids(await tokenizerFromBpeFiles({ vocab, merges: text }), 'a blue cat')).toEqual(ids(bpe, 'a blue cat'));
    }
  });
});

describe('vocab.txt', () => {
  test.each<[string, unknown, RegExp]>([
    ['empty', '', /must have lines, but has none\. Give the text of vocab.txt/],
    ['missing', undefined, /must have lines, but has none\. Give the text of vocab.txt/],
    ['parsed', { '[PAD]': 0 }, /must have lines, but has none\. Give the text of vocab.txt/],
    [
      'of another kind of model',
      '<s>\n<pad>\n</s>\n',
      /must have the tokens \[PAD\], \[UNK\], \[CLS\], \[SEP\]\. Give the file/,
    ],
  ])('that is %s is refused', async (_, text, message) => {
    await expect(tokenizerFromWordPieceFiles({ vocab: text as string, lowercase: true })).rejects.toThrow(message);
  });

  test('may have Windows line ends', async () => {
    const text = read('uncased/vocab.txt').replaceAll('\n', '\r\n');
    const windows = await tokenizerFromWordPieceFiles({ vocab: text, lowercase: true });
    expect(ids(windows, 'a blue cat')).toEqual(ids(await wordPiece('uncased', true), 'a blue cat'));
  });
});

describe("minDALL-E's two files", () => {
  const vocab = { '[PAD]': 0, '[UNK]': 1, c: 2, a: 3, 't</w>': 4, 'at</w>': 5, 'cat</w>': 6 };

  test('merge the characters of words in lower case, and mark those that they lack', async () => {
    const json = charBpeTokenizerJson({ vocab, merges: '#version: 0.2\na t</w>\nc at</w>\n' });
    // The vocabulary has no a at the end of a word.
    expect(ids(await loadTextTokenizer(json), 'CAT at ca', 6)).toEqual([6, 5, 2, 1, 0, 0]);
  });
});

describe('the size of a vocabulary', () => {
  test.each([
    ['its largest id', { model: { vocab: { a: 0, b: 7 } } }, 8],
    ['its added tokens', { model: { vocab: { a: 0, b: 7 } }, added_tokens: [{ id: 9 }] }, 10],
    [
      'its list of tokens',
      {
        model: {
          vocab: [
            ['a', -1.5],
            ['b', -2],
            ['c', -3],
          ],
        },
      },
      3,
    ],
  ])('follows from %s', (_, json, size) => {
    expect(vocabularySizeOf(json)).toBe(size);
  });

  test('is refused without a vocabulary', () => {
    expect(() => vocabularySizeOf({}, 'folder/tokenizer.json')).toThrow(
      /folder\/tokenizer\.json.*model\.vocab must be/,
    );
  });
});
