import { initializeParameters, input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { bert, loadTextTokenizer, parseBertConfig } from '@dalle-mini/text-encoder';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { decoderModel } from './tiny.mjs';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'red', 'green', 'blue', 'yellow', 'circle', 'square', 'stripe'];

const config = {
  model_type: 'bert',
  vocab_size: words.length,
  hidden_size: decoderModel.textWidth,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 8,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
};

const tokenizer = {
  added_tokens: words.slice(0, 4).map((content, id) => ({ id, content, special: true })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
  decoder: null,
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};

/** Random weights, by the names that they have in a checkpoint of Hugging Face. */
function randomParameters(): Map<string, TensorData> {
  const scope = new ParameterScope();
  bert(scope, parseBertConfig(config), input('ids', [1, 6], 'int32'), input('attentionMask', [1, 6], 'int32'));
  return initializeParameters(scope.parameters, 5);
}

const parameters = randomParameters();
const weights: Checkpoint = new Map(
  [...parameters].map(([name, { shape, data }]) => [name, fromFloat32(data as Float32Array, shape, 'F32')]),
);

/** A BERT of random weights that knows the words of the captions: as files, and as training takes it. */
export const tinyBert = {
  files: { config, tokenizer, weights },
  config: parseBertConfig(config),
  tokenizer: await loadTextTokenizer(tokenizer),
  parameters,
};
