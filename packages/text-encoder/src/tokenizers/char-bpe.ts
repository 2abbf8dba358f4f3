/** The files of minDALL-E's tokenizer: byte-pair encoding of characters, in two files without its settings. */
export interface CharBpeFiles {
  /** The parsed `bpe-16k-vocab.json`: ids of tokens. */
  readonly vocab: Readonly<Record<string, number>>;
  /** The text of `bpe-16k-merges.txt`: two tokens a line. */
  readonly merges: string;
}

/**
 * Returns minDALL-E's tokenizer as a `tokenizer.json`, with the settings of its `build_tokenizer`: a `CharBPETokenizer` of
 * Hugging Face's tokenizers in lower case, with `[UNK]` and `[PAD]`. `loadTextTokenizer` loads it, and checks it.
 */
export function charBpeTokenizerJson({ vocab, merges }: CharBpeFiles): object {
  const added = ['[UNK]', '[PAD]'].map((content) => ({
    id: vocab[content],
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const lines = merges.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version'));
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: false },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    decoder: { type: 'BPEDecoder', suffix: '</w>' },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '[UNK]',
      continuing_subword_prefix: null,
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: lines,
    },
  };
}
