/** A model of BERT's kind, by the `model_type` of its `config.json`. */
export type BertFamily = 'bert' | 'roberta' | 'distilbert' | 'bart';

/** The paths of a model's parameters, as the PyTorch code of Hugging Face's transformers names them. */
interface BertNames {
  readonly tokens: string;
  /** Embeddings of sentence types, in models that know them. */
  readonly types?: string | undefined;
  readonly positions: string;
  readonly embeddingNorm: string;
  /** What comes before a layer's number. */
  readonly layers: string;
  // Within a layer, in the order of the data:
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

/** What may come before a parameter's name: nothing in a file of the bare model; its own name in that of a model with a head. */
const prefixes: Readonly<Record<BertFamily, readonly string[]>> = {
  bert: ['', 'bert.'],
  roberta: ['', 'roberta.'],
  distilbert: ['', 'distilbert.'],
  bart: ['', 'encoder.', 'model.encoder.'],
};

/** The names that released files of this family may have for a parameter of `bert`: PyTorch's, TensorFlow's and Flax's. */
export function releasedNames(family: BertFamily, parameter: string): string[] {
  const names = prefixes[family].map((prefix) => prefix + parameter);
  // BART's encoder and decoder share one table, which most files have once.
  if (family === 'bart' && parameter === 'embed_tokens.weight') names.push('shared.weight', 'model.shared.weight');
  return [...names, ...names.map(tensorFlowName), ...names.flatMap(flaxNames)];
}

/** Old releases of BERT were converted from TensorFlow, and have its names for the weights of norms. */
function tensorFlowName(name: string): string {
  return name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
}

/** Flax calls the weight of a linear layer `kernel`, that of an embedding `embedding`, and that of a norm `scale`. */
function flaxNames(name: string): string[] {
  const path = name.replaceAll('.', '/');
  if (!path.endsWith('/weight')) return [path];
  return ['kernel', 'embedding', 'scale'].map((weight) => path.replace(/weight$/, weight));
}
