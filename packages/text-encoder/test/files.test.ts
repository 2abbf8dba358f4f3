import { textEncoderFiles } from '@dalle-mini/text-encoder/node';
import { expect, test } from 'vitest';

const words = 'enwiki-words-frequency.txt';

test.each([
  [
    ['config.json', 'tokenizer.json', 'model.safetensors', 'pytorch_model.bin', 'README.md'],
    ['config.json', 'tokenizer.json', 'model.safetensors'],
  ],
  [
    ['config.json', 'flax_model.msgpack', 'vocab.json', 'merges.txt', words, 'README.md'],
    ['config.json', 'flax_model.msgpack', 'vocab.json', 'merges.txt', words],
  ],
])('of %j, %j are downloaded', (names, needed) => {
  expect(textEncoderFiles(names.map((name) => ({ name })))).toEqual(needed);
});
