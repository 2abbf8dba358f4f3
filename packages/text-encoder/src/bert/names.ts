/** A family of models, by the `model_type` of their `config.json`. */
export type BertFamily = 'bert' | 'roberta' | 'distilbert' | 'bart';

/** The paths of a model's parameters in the PyTorch code of Hugging Face's transformers. */
interface BertNames {
  readonly tokens: string;
  /** Embeddings of sentence types, if the model has them. */
  readonly types?: string | undefined;
  readonly positions: string;
  readonly embeddingNorm: string;
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

/** Possible prefixes of parameter names: none in files of the bare model, its name in files of a model with a head. */
const prefixes: Readonly<Record<BertFamily, readonly string[]>> = {
  bert: ['', 'bert.'],
  roberta: ['', 'roberta.'],
  distilbert: ['', 'distilbert.'],
  bart: ['', 'encoder.', 'model.encoder.'],
};

/**
 * Lists the possible names of a parameter of `bert` in published files of a family: PyTorch's, TensorFlow's and Flax's.
 */
export function releasedNames(family: BertFamily, parameter: string): string[] {
  const names = prefixes[family].map((prefix) => prefix + parameter);
  // The encoder and decoder of BART share one table, which most files have only once.
  if (family === 'bart' && parameter === 'embed_tokens.weight') names.push('shared.weight', 'model.shared.weight');
  return [...names, ...names.map(tensorFlowName), ...names.flatMap(flaxNames)];
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
