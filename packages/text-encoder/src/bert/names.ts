/** A family of models, by the `model_type` of their `config.json`. */
export type BertFamily = 'bert' | 'roberta' | 'distilbert' | 'mpnet' | 'bart';

/** The paths of a model's parameters in the PyTorch code of Hugging Face's transformers. */
interface BertNames {
  readonly tokens: string;
  /** Embeddings of sentence types, if the model has them. */
  readonly types?: string | undefined;
  readonly positions: string;
  readonly embeddingNorm: string;
  /** Biases of relative positions, if the model has them. */
  readonly relative?: string | undefined;
  /** The path before the number of a layer. */
  readonly layers: string;
  // Paths within a layer, in the order of computation:
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly attended: string;
  readonly attentionNorm: string;
  readonly widened: string;
  readonly narrowed: string;
  readonly outputNorm: string;
}

const bert: BertNames = {
  tokens: 'embeddings.word_embeddings',
  types: 'embeddings.token_type_embeddings',
  positions: 'embeddings.position_embeddings',
  embeddingNorm: 'embeddings.LayerNorm',
  layers: 'encoder.layer',
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  attended: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  widened: 'intermediate.dense',
  narrowed: 'output.dense',
  outputNorm: 'output.LayerNorm',
};

export const bertNames: Readonly<Record<BertFamily, BertNames>> = {
  bert,
  roberta: bert,
  distilbert: {
    tokens: 'embeddings.word_embeddings',
    positions: 'embeddings.position_embeddings',
    embeddingNorm: 'embeddings.LayerNorm',
    layers: 'transformer.layer',
    query: 'attention.q_lin',
    key: 'attention.k_lin',
    value: 'attention.v_lin',
    attended: 'attention.out_lin',
    attentionNorm: 'sa_layer_norm',
    widened: 'ffn.lin1',
    narrowed: 'ffn.lin2',
    outputNorm: 'output_layer_norm',
  },
  mpnet: {
    ...bert,
    types: undefined,
    relative: 'encoder.relative_attention_bias',
    query: 'attention.attn.q',
    key: 'attention.attn.k',
    value: 'attention.attn.v',
    attended: 'attention.attn.o',
    attentionNorm: 'attention.LayerNorm',
  },
  bart: {
    tokens: 'embed_tokens',
    positions: 'embed_positions',
    embeddingNorm: 'layernorm_embedding',
    layers: 'layers',
    query: 'self_attn.q_proj',
    key: 'self_attn.k_proj',
    value: 'self_attn.v_proj',
    attended: 'self_attn.out_proj',
    attentionNorm: 'self_attn_layer_norm',
    widened: 'fc1',
    narrowed: 'fc2',
    outputNorm: 'final_layer_norm',
  },
};

/**
 * Lists the possible names of a parameter of `bert` in published files of a family: PyTorch's, TensorFlow's and Flax's.
 * Files of a model with a head have them after a prefix, such as `bert.`.
 *
 * @param isWhole Whether the file of a BART has its decoder too, whose parameters have the same names.
 */
export function releasedNames(family: BertFamily, parameter: string, isWhole: boolean): string[] {
  const names = [family === 'bart' && isWhole ? `encoder.${parameter}` : parameter];
  // The encoder and decoder of BART share one table, which most files have only once.
  if (family === 'bart' && parameter === 'embed_tokens.weight') names.push('shared.weight');
  return [...names, ...names.map(tensorFlowName), ...names.flatMap(flaxNames)];
}

/** Checks whether a file of a BART has more than the encoder. */
export function isWholeBart(names: Iterable<string>): boolean {
  return [...names].some((name) => /(^|[./])encoder[./]/.test(name));
}

/** The parts of a model of each family that compute the hidden states, as the beginnings of names. */
const encoders: Readonly<Record<BertFamily, RegExp>> = {
  bert: /^(embeddings|encoder)[./]/,
  roberta: /^(embeddings|encoder)[./]/,
  distilbert: /^(embeddings|transformer)[./]/,
  mpnet: /^(embeddings|encoder)[./]/,
  bart: /^(encoder|layers|layernorm_embedding|embed_tokens|embed_positions)[./]/,
};

/** Parts that compute something from the hidden states: poolers, heads, and the decoder of BART. */
const outputs = new RegExp(
  `^(${[
    'pooler|cls|classifier|classification_head|lm_head|qa_outputs|score|pre_classifier|predictions',
    'vocab_transform|vocab_layer_norm|vocab_projector|generator_\\w+|discriminator_\\w+|decoder|shared',
  ].join('|')})[./]|^final_logits_bias$`,
);

/** Buffers that follow from the configuration. */
const buffers = /(^|[./])(position_ids|token_type_ids|embed_positions[./](_float_tensor|weights)|version)$/;

/**
 * Checks whether a tensor of a published file does not change the hidden states. Other tensors of the encoder, such as
 * those of adapters, and tensors next to it that are not known, could.
 */
export function isUnneeded(
  {
    family = 'bert',
    sinusoidalPositions,
  }: { family?: BertFamily | undefined; sinusoidalPositions?: boolean | undefined },
  name: string,
): boolean {
  if (buffers.test(name)) return true;
  // Sines and cosines, which are computed.
  if (sinusoidalPositions && /^embeddings[./]position_embeddings[./]/.test(name)) return true;
  if (encoders[family].test(name)) return false;
  // In a file of a model with a head, its own name comes before its parameters, and the rest is the head.
  return outputs.test(name);
}

/** Old checkpoints of BERT were converted from TensorFlow and keep its names for the weights of norms. */
function tensorFlowName(name: string): string {
  return name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
}

/** The names of Flax for weights: `kernel` of a linear layer, `embedding` of an embedding, and `scale` of a norm. */
function flaxNames(name: string): string[] {
  const path = name.replaceAll('.', '/');
  if (!path.endsWith('/weight')) return [path];
  return ['kernel', 'embedding', 'scale'].map((weight) => path.replace(/weight$/, weight));
}
