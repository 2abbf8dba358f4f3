import { readFileSync } from 'node:fs';
import { wordPieceTokenizer } from '@dalle-mini/testing/tiny-bert';
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
  tokenizer: wordPieceTokenizer(vocabulary),
};
