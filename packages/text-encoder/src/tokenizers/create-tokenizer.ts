import { forEachInTurns } from '@dalle-mini/core';
import { Tokenizer } from '@huggingface/tokenizers';

/**
 * The used types of `@huggingface/tokenizers`. Its types do not resolve under NodeNext, because they import without
 * extensions.
 */
export interface HuggingFaceTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  token_to_id(token: string): number | undefined;
  readonly post_processor: {
    post_process(tokens: string[], pair: null, addSpecialTokens: boolean): { tokens: string[] };
  } | null;
  readonly model: {
    tokens_to_ids: Map<string, number>;
    unk_token_id?: number | undefined;
    /** For BPE: the ranks of pairs of tokens, written as JSON. */
    readonly bpe_ranks?: Map<string, number> | undefined;
  };
}

/** The part of `tokenizer.json` with the vocabulary of a WordPiece or BPE tokenizer. */
interface VocabularyModel {
  readonly type?: string | undefined;
  readonly vocab: Readonly<Record<string, number>>;
  /** For BPE: pairs of tokens, or both in one string with a space between them. */
  readonly merges?: readonly (string | readonly [string, string])[] | undefined;
  readonly unk_token?: string | null | undefined;
}

/**
 * Creates the tokenizer of a parsed `tokenizer.json`.
 *
 * Its vocabulary is filled in over several turns of the event loop, because the library would block it for 200 ms for
 * the 50,000 tokens and merges of DALL·E Mini.
 * @throws Error if it is not a tokenizer.
 */
export async function createTokenizer(
  file: { readonly model?: VocabularyModel },
  config: object,
): Promise<HuggingFaceTokenizer> {
  const { model } = file;
  if (!model?.vocab || (model.type !== 'WordPiece' && model.type !== 'BPE')) return new Tokenizer(file, config);
  const { vocab, merges = [], unk_token } = model;
  const tokenizer: HuggingFaceTokenizer = new Tokenizer(
    { ...file, model: { ...model, vocab: {}, merges: [] } },
    config,
  );
  const { model: filled } = tokenizer;
  const ids = new Map<string, number>();
  await forEachInTurns(Object.keys(vocab), (token) => ids.set(token, vocab[token]!));
  if (typeof unk_token === 'string') filled.unk_token_id = ids.get(unk_token);
  // Added tokens, which the library has already inserted, have priority over the vocabulary.
  for (const [token, id] of filled.tokens_to_ids) ids.set(token, id);
  filled.tokens_to_ids = ids;
  await forEachInTurns(merges, (merge, rank) => {
    const pair = typeof merge === 'string' ? merge.split(' ', 2) : merge;
    filled.bpe_ranks!.set(JSON.stringify(pair), rank);
  });
  return tokenizer;
}
