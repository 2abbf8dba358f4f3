/** The text encoder in `model.json`. `maxLength` is the length in tokens of captions in training. */
export type TextEncoderDescription =
  /** A BERT, RoBERTa, DistilBERT or BART in the layout of Hugging Face. */
  | { readonly type: 'bert'; readonly folder: string; readonly maxLength: number }
  /**
   * The BART encoder of DALL·E Mini: a `BartConfig`, parameter names as in min-dalle, and the published files of the
   * tokenizer, `tokenizer.json` or `vocab.json` and `merges.txt`. `tokenizer` selects the tokenizer of the published
   * code or min-dalle's. With an `enwiki-words-frequency.txt`, captions are normalized.
   */
  | {
      readonly type: 'dalle-mini';
      readonly folder: string;
      readonly maxLength: number;
      readonly tokenizer: 'bart' | 'min-dalle';
    }
  /** A tokenizer alone, in a `tokenizer.json`, for decoders that have embeddings of words. */
  | { readonly type: 'tokens'; readonly folder: string; readonly maxLength: number }
  /** Classes, in a `classes.json`: their number and, optionally, their names. */
  | { readonly type: 'classes'; readonly folder: string; readonly maxLength: number };
