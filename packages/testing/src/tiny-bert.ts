import { input, ParameterScope, type Tensor, type TensorData } from '@dalle-mini/graph';
import { bert, parseBertConfig } from '@dalle-mini/text-encoder';
import { fromFloat32 } from '@dalle-mini/weights';

/** The `tokenizer.json` of a BERT with these tokens, of which the first four are `[PAD]`, `[UNK]`, `[CLS]` and `[SEP]`. */
export function wordPieceTokenizer(vocabulary: readonly string[]) {
  return {
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
  };
}

/**
 * The files of a BERT that knows some words.
 *
 * @param initialize Gives the values of its parameters, whose names are those that they have in a checkpoint of Hugging Face.
 */
export function tinyBert(
  words: readonly string[],
  width: number,
  initialize: (parameters: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, TensorData>,
) {
  const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...words];
  const config = {
    model_type: 'bert',
    vocab_size: vocabulary.length,
    hidden_size: width,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 2 * width,
    max_position_embeddings: 16,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
  };
  const tokenizer = wordPieceTokenizer(vocabulary);
  const scope = new ParameterScope();
  const parsed = parseBertConfig(config);
  bert(scope, parsed, input('ids', [1, 4], 'int32'), input('attentionMask', [1, 4], 'int32'));
  const parameters = initialize(scope.parameters);
  const weights = new Map(
    [...parameters].map(([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape)]),
  );
  return { files: { config, tokenizer, weights }, config: parsed, parameters };
}
