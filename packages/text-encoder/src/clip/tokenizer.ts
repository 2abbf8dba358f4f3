import { ConfigError, quote } from '@dalle-mini/core';
import { loadTextTokenizer, type TextTokenizer } from '../tokenizers/text-tokenizer.js';

const startText = '<|startoftext|>';
const endText = '<|endoftext|>';

/**
 * Loads the tokenizer of CLIP's text encoder from the parsed `tokenizer.json` or, without one, from `{ vocab, merges }`, and from the
 * parsed `tokenizer_config.json`. Captions are padded with its `pad_token`. Default: the end token, as OpenAI's code pads.
 *
 * @param folder The folder of the files, for error messages.
 * @throws ConfigError that names the file and the field which is damaged or not supported.
 */
export async function clipTextTokenizer(
  files: object,
  tokenizerConfig: object = {},
  folder?: string,
): Promise<TextTokenizer> {
  const config = { pad_token: endText, ...tokenizerConfig };
  if (!('vocab' in files)) return loadTextTokenizer(files, config, folder);
  const { vocab, merges } = files as { vocab: Readonly<Record<string, number>>; merges: string };
  const special = (token: string) => [token, vocab[token]];
  const processor = { type: 'BertProcessing', cls: special(startText), sep: special(endText) };
  return loadTextTokenizer({ ...clipTokenizerJson(vocab, merges), post_processor: processor }, config, folder);
}

/**
 * Makes CLIP's `tokenizer.json` from the parsed `vocab.json` and the text of `merges.txt`, for models that come without one.
 * @throws ConfigError if a line of `merges.txt` is not a pair of tokens.
 */
export function clipTokenizerJson(vocabulary: Readonly<Record<string, number>>, merges: string): object {
  const lines = merges.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version'));
  const wrong = lines.find((line) => line.split(' ').length !== 2);
  if (wrong !== undefined) {
    throw new ConfigError(
      'merges.txt',
      'each line',
      `must be two tokens with a space between them, not ${quote(wrong)}.`,
    );
  }
  return {
    added_tokens: [startText, endText].map((content) => ({ id: vocabulary[content], content, special: true })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: clipWords }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: endText,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      vocab: vocabulary,
      merges: lines,
    },
  };
}

/** The words of a caption for CLIP's tokenizer. The names of the special tokens are words too. */
const clipWords =
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
