import { ConfigError } from '@dalle-mini/core';
import { loadTextTokenizer, tokenizerFromFiles } from '@dalle-mini/text-encoder/tokenizers';
import { describe, expect, test } from 'vitest';

const special = (content: string, id: number) => ({ content, id, special: true });
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'b', 'ab', '##b'];
const vocab = Object.fromEntries(words.map((word, id) => [word, id]));

/** A tokenizer without faults, with other parts in the place of some. */
const bert = (parts: object = {}) => ({
  version: '1.0',
  added_tokens: words.slice(0, 4).map(special),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] },
  padding: { pad_id: 0, pad_token: '[PAD]' },
  model: { type: 'WordPiece', unk_token: '[UNK]', vocab },
  ...parts,
});
const model = (parts: object) => bert({ model: { ...bert().model, ...parts } });
const bpe = (parts: object) => model({ type: 'BPE', merges: [['a', 'b']], ...parts });
const scores = words.map((word) => [word, -1]);
const unigram = (parts: object) => bert({ model: { type: 'Unigram', unk_id: 1, vocab: scores, ...parts } });
const normalizer = (parts: object) => bert({ normalizer: parts });
const preTokenizer = (parts: object) => bert({ pre_tokenizer: parts });
const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' };
const template = (single: unknown, special_tokens: unknown = {}) =>
  bert({ post_processor: { type: 'TemplateProcessing', single, pair: [], special_tokens } });
const caption = { Sequence: { id: 'A', type_id: 0 } };
const cls = { SpecialToken: { id: '[CLS]', type_id: 0 } };
const clsTokens = { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] } };

/** Nests a part in as many sequences. */
const nested = (depth: number, key: string, inner: unknown): unknown =>
  depth === 0 ? inner : { type: 'Sequence', [key]: [nested(depth - 1, key, inner)] };

test('the tokenizer of these tests has no faults', async () => {
  const { ids } = (await loadTextTokenizer(bert())).encode(['abb x'], 6);
  expect([...ids]).toEqual([2, 6, 7, 1, 3, 0]);
});

describe('tokenizer.json is refused, by file, field and fix,', () => {
  test.each<[string, object, RegExp]>([
    ['of another version', bert({ version: '2.0' }), /version must be "1\.0", not "2\.0"/],
    ['of a number as version', bert({ version: 1 }), /version must be "1\.0", not 1/],
    ['without a model', bert({ model: undefined }), /model is missing/],
    ['with a list as model', bert({ model: [] }), /model must be an object/],
    ['of an unknown model', model({ type: 'Morphemes' }), /model\.type must be "WordPiece", .*, not "Morphemes"/],
    ['of a model named like a property', model({ type: 'constructor' }), /model\.type must be .*, not "constructor"/],
    ['of a model without a type', bert({ model: {} }), /model\.type is missing/],
    ['with an unknown option of its model', model({ alpha: 0.1 }), /model\.alpha is not known/],
    ['without a vocabulary', model({ vocab: undefined }), /model\.vocab is missing/],
    ['with a list as vocabulary', model({ vocab: [] }), /model\.vocab must be an object, ids by token, not/],
    [
      'with an empty vocabulary',
      model({ type: 'BPE', unk_token: undefined, merges: [], vocab: {} }),
      /model\.vocab must have tokens/,
    ],
    [
      'with a negative id',
      model({ vocab: { ...vocab, c: -1 } }),
      /model\.vocab\["c"\] must be a whole number .*, not -1/,
    ],
    ['with a fraction as id', model({ vocab: { ...vocab, c: 8.5 } }), /model\.vocab\["c"\] must be .*, not 8\.5/],
    ['with a text as id', model({ vocab: { ...vocab, c: '8' } }), /model\.vocab\["c"\] must be .*, not "8"/],
    ['with an object as id', model({ vocab: { ...vocab, c: {} } }), /model\.vocab\["c"\] must be .*, not an object/],
    ['with an id beyond all', model({ vocab: { ...vocab, c: 2 ** 40 } }), /model\.vocab\["c"\] must be/],
    [
      'with an id twice',
      model({ vocab: { ...vocab, c: 4 } }),
      /model\.vocab\["c"\] must be an id of its own, not 4, which "a" has too/,
    ],
    [
      'with ids with gaps',
      model({ vocab: { ...vocab, c: 9 } }),
      /model\.vocab must have a token for every id from 0; none has the id 8/,
    ],
    [
      'with half of a pair as token',
      model({ vocab: { ...vocab, '\ud83d': 8 } }),
      /model\.vocab\["\\ud83d"\] must be text/,
    ],
    [
      'without its unknown token',
      model({ unk_token: '<unk>' }),
      /model\.unk_token must be a token of model\.vocab, which "<unk>" is not/,
    ],
    ['with a number as unknown token', model({ unk_token: 1 }), /model\.unk_token must be a string/],
    [
      'with an unknown token named like a property',
      model({ unk_token: 'constructor' }),
      /model\.unk_token must be a token/,
    ],
    [
      'with words of a negative length',
      model({ max_input_chars_per_word: -1 }),
      /model\.max_input_chars_per_word must be/,
    ],
    [
      'of a WordLevel without an unknown token',
      model({ type: 'WordLevel', unk_token: undefined }),
      /model\.unk_token is missing/,
    ],
    ['of a BPE without merges', bpe({ merges: undefined }), /model\.merges is missing/],
    ['of a BPE with dropout', bpe({ dropout: 0.1 }), /model\.dropout must be 0, not 0\.1/],
    ['with a merge of three', bpe({ merges: ['a b c'] }), /model\.merges\[0\] must be two tokens, not "a b c"/],
    ['with a merge of numbers', bpe({ merges: [[4, 5]] }), /model\.merges\[0\] must be two tokens, not \[4, 5\]/],
    ['with a merge of null', bpe({ merges: [['a', 'b'], null] }), /model\.merges\[1\] must be two tokens, not null/],
    [
      'with a merge of an unknown token',
      bpe({ merges: ['a z'] }),
      /model\.merges\[0\] has the token "z", which model\.vocab lacks/,
    ],
    ['with a merge into an unknown token', bpe({ merges: ['b a'] }), /model\.merges\[0\] has the token "ba", which/],
    ['of a Unigram without an unknown token', unigram({ unk_id: null }), /model\.unk_id is missing/],
    [
      'of a Unigram whose unknown token is no token',
      unigram({ unk_id: 8 }),
      /model\.unk_id must be the place of a token in model\.vocab, below 8, not 8/,
    ],
    [
      'of a Unigram without scores',
      unigram({ vocab: words }),
      /model\.vocab\[0\] must be a token and its score, not "\[PAD\]"/,
    ],
    [
      'of a Unigram with a text as score',
      unigram({ vocab: [...scores, ['c', '-1']] }),
      /model\.vocab\[8\] must be a token and its score/,
    ],
    [
      'of a Unigram with an empty token',
      unigram({ vocab: [...scores, ['', -1]] }),
      /model\.vocab\[8\] must be a token/,
    ],
    ['of a Unigram with an object as vocabulary', unigram({ vocab }), /model\.vocab must be a list of tokens/],
    ['with an object as added tokens', bert({ added_tokens: {} }), /added_tokens must be a list/],
    [
      'with an added token without content',
      bert({ added_tokens: [{ id: 0 }] }),
      /added_tokens\[0\]\.content is missing/,
    ],
    [
      'with an added token without an id',
      bert({ added_tokens: [{ content: 'a' }] }),
      /added_tokens\[0\]\.id is missing/,
    ],
    ['with an added token of null', bert({ added_tokens: [null] }), /added_tokens\[0\] must be an object, not null/],
    [
      'with an added token of a negative id',
      bert({ added_tokens: [special('c', -1)] }),
      /added_tokens\[0\]\.id must be a whole number/,
    ],
    [
      'with another id for an added token',
      bert({ added_tokens: [special('a', 5)] }),
      /added_tokens\[0\]\.id must be 4, its id in model\.vocab, for "a", not 5/,
    ],
    [
      'with an added token far behind',
      bert({ added_tokens: [special('c', 20)] }),
      /added_tokens\[0\]\.id must be 8, the first id after the vocabulary, for "c", not 20/,
    ],
    ['with the id of another token', bert({ added_tokens: [special('c', 4)] }), /added_tokens\[0\]\.id must be 8/],
    [
      'with an added token twice',
      bert({ added_tokens: [special('a', 4), special('a', 4)] }),
      /added_tokens\[1\]\.content must be a token of its own; "a" is listed twice/,
    ],
    [
      'with two added tokens of one normal form',
      bert({
        added_tokens: [
          { content: 'x', id: 8 },
          { content: 'X', id: 9 },
        ],
      }),
      /added_tokens must differ when they are normalized; the normal form of "X" is that of "x" too/,
    ],
    [
      'with an added token that is normalized away',
      bert({ added_tokens: [{ content: '\u0301', id: 8 }] }),
      /the normal form of .* has no characters/,
    ],
    [
      'with a text as option of an added token',
      bert({ added_tokens: [{ ...special('a', 4), lstrip: 'yes' }] }),
      /added_tokens\[0\]\.lstrip must be true or false/,
    ],
    ['with a text as normalizer', bert({ normalizer: 'NFC' }), /normalizer must be an object/],
    [
      'with an unknown normalizer',
      normalizer({ type: 'Bert' }),
      /normalizer\.type must be "BertNormalizer", .*, not "Bert"/,
    ],
    ['with an unknown option of a normalizer', normalizer({ type: 'NFC', level: 2 }), /normalizer\.level is not known/],
    [
      'with a text as option of a normalizer',
      normalizer({ ...bert().normalizer, lowercase: 'true' }),
      /normalizer\.lowercase must be true or false/,
    ],
    [
      'with a charsmap that is not base64',
      normalizer({ type: 'Precompiled', precompiled_charsmap: '!' }),
      /normalizer\.precompiled_charsmap must be a charsmap of SentencePiece: it must be base64/,
    ],
    [
      'with a charsmap that is cut off',
      normalizer({ type: 'Precompiled', precompiled_charsmap: 'AAAB' }),
      /normalizer\.precompiled_charsmap must be a charsmap .* hold a trie/,
    ],
    [
      'with normalizers in 100 sequences',
      normalizer(nested(100, 'normalizers', { type: 'NFC' }) as object),
      /must be at most 16 sequences in each other/,
    ],
    ['with a sequence of nothing', normalizer({ type: 'Sequence' }), /normalizer\.normalizers is missing/],
    [
      'with a pattern of nothing',
      normalizer({ type: 'Replace', pattern: {}, content: '' }),
      /normalizer\.pattern must be an object with either String or Regex/,
    ],
    [
      'with a pattern that is a text',
      normalizer({ type: 'Replace', pattern: 'a', content: '' }),
      /normalizer\.pattern must be an object/,
    ],
    [
      'with an expression that is none',
      normalizer({ type: 'Replace', pattern: { Regex: '(' }, content: '' }),
      /normalizer\.pattern\.Regex must be a regular expression of Oniguruma/,
    ],
    [
      'with an unknown pre-tokenizer',
      preTokenizer({ type: 'UnicodeScripts' }),
      /pre_tokenizer\.type must be .*, not "UnicodeScripts"/,
    ],
    [
      'with pre-tokenizers in 100 sequences',
      preTokenizer(nested(100, 'pretokenizers', { type: 'Whitespace' }) as object),
      /must be at most 16 sequences/,
    ],
    [
      'with an unknown behavior',
      preTokenizer({ type: 'Punctuation', behavior: 'isolated' }),
      /pre_tokenizer\.behavior must be "Removed", .*, not "isolated"/,
    ],
    ...[String.raw`\w+`, String.raw`\bword`, '[[:alpha:]]', String.raw`\X`, '(?i)ss'].map(
      (Regex): [string, object, RegExp] => [
        `with the expression ${Regex}`,
        preTokenizer({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }),
        /pre_tokenizer\.pattern\.Regex must be a regular expression without/,
      ],
    ),
    [
      'with two metaspaces',
      preTokenizer({ ...metaspace, replacement: '▁▁' }),
      /pre_tokenizer\.replacement must be one character/,
    ],
    [
      'with contradictory metaspaces',
      preTokenizer({ ...metaspace, add_prefix_space: false }),
      /pre_tokenizer\.prepend_scheme must be "never", because add_prefix_space is false, not "first"/,
    ],
    [
      'with "first" after another pre-tokenizer',
      preTokenizer({ type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }, metaspace] }),
      /the prepend_scheme of Metaspace must be "always" or "never"/,
    ],
    ['with an unknown post-processor', bert({ post_processor: { type: 'Template' } }), /post_processor\.type must be/],
    [
      'with another id of a special token',
      bert({ post_processor: { type: 'BertProcessing', cls: ['[CLS]', 3], sep: ['[SEP]', 3] } }),
      /post_processor\.cls\[1\] must be 2, the id of "\[CLS\]", not 3/,
    ],
    [
      'with a special token that the vocabulary lacks',
      bert({ post_processor: { type: 'RobertaProcessing', cls: ['<s>', 2], sep: ['[SEP]', 3] } }),
      /post_processor\.cls\[1\] must be that of a token of the vocabulary, the id of "<s>"/,
    ],
    [
      'with a special token without an id',
      bert({ post_processor: { type: 'BertProcessing', cls: '[CLS]', sep: ['[SEP]', 3] } }),
      /post_processor\.cls must be a list of a token and its id, not "\[CLS\]"/,
    ],
    [
      'with a template without the caption',
      template([cls], clsTokens),
      /post_processor\.single must be a list with the caption, the sequence A, once/,
    ],
    [
      'with a template with the caption twice',
      template([caption, caption]),
      /post_processor\.single must be a list with the caption/,
    ],
    [
      'with a template of another type',
      template([{ Sequence: { id: 'A', type_id: 1 } }]),
      /post_processor\.single\[0\]\.Sequence\.type_id must be 0, not 1/,
    ],
    [
      'with a template of an unknown token',
      template([cls, caption]),
      /post_processor\.special_tokens\["\[CLS\]"\] must be an object/,
    ],
    [
      'with a template of a property',
      template([{ SpecialToken: { id: 'constructor', type_id: 0 } }, caption]),
      /post_processor\.special_tokens\["constructor"\] must be an object/,
    ],
    [
      'with a template of a token without ids',
      template([cls, caption], { '[CLS]': { id: '[CLS]', ids: [], tokens: ['[CLS]'] } }),
      /\.ids must be a list of 1 ids/,
    ],
    [
      'with a template of another id',
      template([cls, caption], { '[CLS]': { id: '[CLS]', ids: [3], tokens: ['[CLS]'] } }),
      /special_tokens\["\[CLS\]"\]\.ids\[0\] must be 2, the id of "\[CLS\]", not 3/,
    ],
    [
      'with two post-processors that add tokens',
      bert({ post_processor: { type: 'Sequence', processors: [bert().post_processor, bert().post_processor] } }),
      /post_processor\.processors must be a list of which one adds special tokens/,
    ],
    ['with a negative padding', bert({ padding: { pad_id: -1 } }), /padding\.pad_id must be a whole number/],
    ['with a text as padding', bert({ padding: { pad_id: '0' } }), /padding\.pad_id must be .*, not "0"/],
    [
      'with padding beyond the vocabulary',
      bert({ padding: { pad_id: 99 } }),
      /padding\.pad_id must be the id of a token, not 99/,
    ],
    [
      'with the id of another token as padding',
      bert({ padding: { pad_id: 5, pad_token: '[PAD]' } }),
      /padding\.pad_id must be 0, the id of "\[PAD\]", not 5/,
    ],
    [
      'with an unknown padding token',
      bert({ padding: { pad_id: 0, pad_token: '<pad>' } }),
      /padding\.pad_id must be the id of "<pad>", which model\.vocab lacks, not 0/,
    ],
    [
      'with padding on the left',
      bert({ padding: { pad_id: 0, direction: 'Left' } }),
      /padding\.direction must be "Right", not "Left"/,
    ],
    ['with a list as padding', bert({ padding: [] }), /padding must be an object/],
    [
      'with truncation of a second text',
      bert({ truncation: { strategy: 'OnlySecond' } }),
      /truncation\.strategy must be/,
    ],
  ])('%s', async (_, file, message) => {
    const error: Error = await loadTextTokenizer(file, {}, 'models/odd').then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^models\/odd\/tokenizer\.json: .*\. Use the tokenizer\.json of the model/);
    expect(error.message.length).toBeLessThan(500);
  });
});

describe('tokenizer_config.json is refused', () => {
  const roberta = bert({ normalizer: null, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false } });
  const t5 = bert({ normalizer: null, pre_tokenizer: { type: 'Metaspace', replacement: '▁' } });

  test.each<[string, object, object, RegExp]>([
    [
      'of another case',
      bert(),
      { do_lower_case: false },
      /do_lower_case must be true, as in the normalizer of tokenizer\.json, not false/,
    ],
    ['of other accents', bert(), { strip_accents: false }, /strip_accents must be true/],
    ['of other ideographs', bert(), { tokenize_chinese_chars: false }, /tokenize_chinese_chars must be true/],
    [
      'of another prefix',
      roberta,
      { add_prefix_space: true },
      /add_prefix_space must be false, as in the pre_tokenizer/,
    ],
    [
      'of another prefix of Metaspace',
      t5,
      { add_prefix_space: false },
      /add_prefix_space must be true, as in the pre_tokenizer/,
    ],
    ['with a text as case', bert(), { do_lower_case: 'yes' }, /do_lower_case must be true or false, not "yes"/],
    [
      'with another padding token',
      bert(),
      { pad_token: 'a' },
      /tokenizer\.json: padding\.pad_id must be 4, the id of "a", not 0/,
    ],
    [
      'with a number as padding token',
      bert(),
      { pad_token: 0 },
      /pad_token must be a token, or an object with its content, not 0/,
    ],
    ['with padding on the left', bert(), { padding_side: 'left' }, /padding_side must be "right", not "left"/],
    ['with a length of nothing', bert(), { model_max_length: 0 }, /model_max_length must be a number of at least 1/],
    [
      'with special tokens that are read as text',
      bert(),
      { split_special_tokens: true },
      /split_special_tokens must be false/,
    ],
    [
      'with more added tokens',
      bert(),
      { added_tokens_decoder: { 8: { content: 'c' } } },
      /added_tokens_decoder\["8"\] must be a token that tokenizer\.json has with this id, which "c" is not/,
    ],
    ['with other added tokens', bert(), { added_tokens_decoder: { 5: { content: 'a' } } }, /which "a" is not/],
    ['with a list of added tokens', bert(), { added_tokens_decoder: [] }, /added_tokens_decoder must be an object/],
  ])('%s', async (_, file, config, message) => {
    const loading = loadTextTokenizer(file, config);
    await expect(loading).rejects.toBeInstanceOf(ConfigError);
    await expect(loading).rejects.toThrow(message);
  });

  test('only if it contradicts tokenizer.json', async () => {
    const config = {
      do_lower_case: true,
      strip_accents: null,
      tokenize_chinese_chars: true,
      pad_token: { content: '[PAD]', lstrip: false },
      model_max_length: 1e30,
      added_tokens_decoder: { 2: { content: '[CLS]', special: true } },
      tokenizer_class: 'BertTokenizer',
      never_split: null,
    };
    expect([...(await loadTextTokenizer(bert(), config)).encode(['a'], 4).ids]).toEqual([2, 4, 3, 0]);
  });

  test('also next to vocab.txt', async () => {
    await expect(tokenizerFromFiles({ vocab: words.join('\n') }, { do_lower_case: 1 }, 'odd')).rejects.toThrow(
      'odd/tokenizer_config.json: do_lower_case must be true or false, not 1. Use the tokenizer_config.json of the model',
    );
  });
});

test('the type of a model may be missing, as in old files', async () => {
  const { type: _, ...wordPiece } = bert().model;
  const options = { continuing_subword_prefix: '##', max_input_chars_per_word: 100 };
  const old = await loadTextTokenizer(bert({ model: { ...wordPiece, ...options } }));
  expect([...old.encode(['abb'], 4).ids]).toEqual([2, 6, 7, 3]);
  const merged = await loadTextTokenizer(bert({ model: { vocab, merges: ['a b'], unk_token: '[UNK]' } }));
  expect([...merged.encode(['abb'], 4).ids]).toEqual([2, 6, 5, 3]);
  const words = await loadTextTokenizer(bert({ model: { vocab, unk_token: '[UNK]' } }));
  expect([...words.encode(['abb'], 4).ids]).toEqual([2, 1, 3, 0]);
  const scored = await loadTextTokenizer(bert({ model: { unk_id: 1, vocab: scores } }));
  expect([...scored.encode(['abb'], 5).ids]).toEqual([2, 6, 5, 3, 0]);
});

test('tokens may be named like properties of JavaScript objects', async () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
  const all = Object.fromEntries([...words, ...names].map((word, id) => [word, id]));
  const tokenizer = await loadTextTokenizer(
    bert({ normalizer: null, pre_tokenizer: { type: 'WhitespaceSplit' }, model: { ...bert().model, vocab: all } }),
  );
  expect([...tokenizer.encode([`${names.join(' ')} valueOf`], 7).ids]).toEqual([2, 8, 9, 10, 11, 1, 3]);
});

test('a caption may be truncated at its start', async () => {
  const left = await loadTextTokenizer(bert({ truncation: { direction: 'Left', max_length: 512, stride: 0 } }));
  expect([...left.encode(['a b a b ab'], 5).ids]).toEqual([2, 4, 5, 6, 3].with(1, 4));
  const configured = await loadTextTokenizer(bert(), { truncation_side: 'left' });
  expect([...configured.encode(['a a b ab'], 4).ids]).toEqual([2, 5, 6, 3]);
  expect(configured.encode(['a a b ab', 'a'], 4).unread!.map(({ isTruncated }) => isTruncated)).toEqual([true, false]);
});
