import { readFile } from 'node:fs/promises';
import type { DecoderConfig, NormPositions } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { type Checkpoint, readSafetensors, type StoredTensor, toFloat32, toInt32 } from '@dalle-mini/weights';

/** The configuration of DALL·E Mini's published code, as far as the decoder reads it. */
export interface PublishedConfig {
  readonly image_vocab_size: number;
  readonly image_length: number;
  readonly d_model: number;
  readonly decoder_layers: number;
  readonly decoder_attention_heads: number;
  readonly decoder_ffn_dim: number;
  readonly ln_positions?: NormPositions;
  readonly ln_type?: 'layernorm' | 'rmsnorm';
  readonly activation_function?: 'gelu' | 'relu' | 'swish';
  readonly use_glu?: boolean;
  readonly use_bias?: boolean;
  readonly use_head_scale?: boolean;
  readonly use_final_ln_decoder?: boolean;
  readonly force_ln_scale?: boolean;
  readonly scale_embedding?: boolean;
}

export function configOf(published: PublishedConfig): DecoderConfig {
  return {
    vocabularySize: published.image_vocab_size,
    gridSize: Math.sqrt(published.image_length),
    width: published.d_model,
    layers: published.decoder_layers,
    heads: published.decoder_attention_heads,
    feedForwardWidth: published.decoder_ffn_dim,
    textWidth: published.d_model,
    normPositions: published.ln_positions,
    norm: published.ln_type,
    activation: published.activation_function,
    gated: published.use_glu,
    bias: published.use_bias,
    headScale: published.use_head_scale,
    finalNorm: published.use_final_ln_decoder,
    forceNormScale: published.force_ln_scale,
    scaleEmbedding: published.scale_embedding,
  };
}

export async function fixture(name: string): Promise<{ description: never; tensors: Checkpoint }> {
  const file = (extension: string) => new URL(`fixtures/${name}.${extension}`, import.meta.url);
  const description = JSON.parse(await readFile(file('json'), 'utf8')) as never;
  return { description, tensors: readSafetensors(await readFile(file('safetensors'))).tensors };
}

/** The norms of a layer in the order in which flax makes and numbers them: those of attention and of the whole layer, and of GLU or FFN. */
const norms: Record<NormPositions, { layer: readonly string[]; feedForward: readonly string[] }> = {
  normformer: {
    layer: [
      'pre_self_attn_layer_norm',
      'self_attn_layer_norm',
      'pre_encoder_attn_layer_norm',
      'encoder_attn_layer_norm',
    ],
    feedForward: ['ln0', 'ln1'],
  },
  cogview: {
    layer: [
      'pre_self_attn_layer_norm',
      'self_attn_layer_norm',
      'pre_encoder_attn_layer_norm',
      'encoder_attn_layer_norm',
    ],
    feedForward: ['ln0', 'ln2'],
  },
  preln: { layer: ['pre_self_attn_layer_norm', 'pre_encoder_attn_layer_norm'], feedForward: ['ln0'] },
  subln: { layer: [], feedForward: ['ln0', 'ln1'] },
  swinv2: { layer: ['self_attn_layer_norm', 'encoder_attn_layer_norm', 'final_layer_norm'], feedForward: ['ln2'] },
  postln: { layer: ['self_attn_layer_norm', 'encoder_attn_layer_norm', 'final_layer_norm'], feedForward: [] },
};

/** Where a flax module of a decoder layer has its counterpart: `GLU_0.Dense_1.kernel` is `glu.fc1.kernel`. */
function inLayer(path: string, normPositions: NormPositions): string {
  const { layer, feedForward } = norms[normPositions];
  return path
    .replace(/^FlaxBartAttention_0/, 'self_attn')
    .replace(/^FlaxBartAttention_1/, 'encoder_attn')
    .replace(/^(?:LayerNorm|RMSNorm)_(\d)/, (_, index) => layer[index]!)
    .replace(/^(?:GLU|FFN)_0\.(?:LayerNorm|RMSNorm)_(\d)/, (_, index) => `glu.${feedForward[index]}`)
    .replace(/^GLU_0\.Dense_(\d)/, 'glu.fc$1')
    .replace(/^FFN_0\.Dense_(\d)/, (_, index) => `glu.fc${Number(index) + 1}`);
}

function transposed(data: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  return Float32Array.from({ length: data.length }, (_, i) => data[(i % rows!) * columns! + Math.floor(i / rows!)]!);
}

/** One published tensor under this package's names and layouts; a stacked one gives one for each layer. */
export function convert(name: string, tensor: StoredTensor, config: DecoderConfig): [string, TensorData][] {
  const rename = (path: string) => path.replace(/\.(kernel|embedding|scale)$/, '.weight');
  const data = toFloat32(tensor);
  const entry = (path: string, shape: readonly number[], values: Float32Array): [string, TensorData] =>
    path.endsWith('.kernel')
      ? [rename(path), { dtype: 'float32', shape: [shape[1]!, shape[0]!], data: transposed(values, shape) }]
      : [rename(path), { dtype: 'float32', shape, data: values }];
  if (name.startsWith('lm_head.')) return [entry(name, tensor.shape, data)];
  const path = name.slice('model.decoder.'.length);
  const { normPositions = 'normformer' } = config;
  const single = /^layers\.FlaxBartDecoderLayer_(\d+)\.(.*)$/.exec(path);
  if (single) return [entry(`layers.${single[1]}.${inLayer(single[2]!, normPositions)}`, tensor.shape, data)];
  const stacked = 'layers.FlaxBartDecoderLayers.';
  if (!path.startsWith(stacked)) return [entry(path, tensor.shape, data)];
  const target = inLayer(path.slice(stacked.length), normPositions);
  const [layers, ...shape] = tensor.shape as [number, ...number[]];
  const size = data.length / layers;
  return Array.from({ length: layers }, (_, layer) =>
    entry(`layers.${layer}.${target}`, shape, data.slice(layer * size, (layer + 1) * size)),
  );
}

/** The decoder's tensors among published ones, whose names may have something in front. */
export function convertAll(tensors: Checkpoint, config: DecoderConfig, prefix = ''): Map<string, TensorData> {
  const entries = [...tensors]
    .filter(([name]) => name.startsWith(`${prefix}model.decoder.`) || name.startsWith(`${prefix}lm_head.`))
    .flatMap(([name, tensor]) => convert(name.slice(prefix.length), tensor, config));
  return new Map(entries);
}

export const floats = (tensor: StoredTensor): TensorData => ({
  dtype: 'float32',
  shape: tensor.shape,
  data: toFloat32(tensor),
});

export const integers = (tensor: StoredTensor): TensorData => ({
  dtype: 'int32',
  shape: tensor.shape,
  data: toInt32(tensor),
});
