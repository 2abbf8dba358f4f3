import { readFileSync } from 'node:fs';
import { readSafetensors } from '@dalle-mini/weights';

const read = (name: string) => readFileSync(new URL(`fixtures/tiny-bert/${name}`, import.meta.url));
const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'red', 'cat', '##s'];

/**
 * A BERT of random weights as Hugging Face saves it (see scripts/reference/tiny_bert.py), with a tokenizer of eight
 * tokens.
 */
export const tinyBert = {
  config: JSON.parse(read('config.json').toString()) as object,
  weights: readSafetensors(read('model.safetensors')).tensors,
  tokenizer: {
    added_tokens: vocabulary.slice(0, 4).map((content, id) => ({ id, content, special: true })),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    decoder: null,
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  },
};
