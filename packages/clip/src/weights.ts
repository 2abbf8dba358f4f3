import { dequantize, sameShape, type TensorData } from '@dalle-mini/graph';
import { CheckpointError, type StoredTensor } from '@dalle-mini/weights';
import { clipParameters } from './clip.js';
import type { ClipConfig } from './config.js';

/** Where a checkpoint keeps a parameter. */
interface Source {
  readonly name: string;
  /** Which third of the stored rows it is, where queries, keys and values are stored as one. */
  readonly third?: number;
  /** Whether it is stored with its two axes exchanged. */
  readonly transposed?: boolean;
}

/**
 * The values of CLIP's parameters under the names used here, from a checkpoint in Hugging Face's layout or in OpenAI's, which its
 * names tell. Any floating-point type or 8 bits with scales; tensors that the model does not need are ignored.
 * @throws CheckpointError if the tensors are in neither layout, or one of them is missing or has another shape than `config` asks for.
 */
export function clipWeights(weights: ReadonlyMap<string, StoredTensor>, config: ClipConfig): Map<string, TensorData> {
  const find = sourcesOf(weights);
  const read = new Map<string, TensorData>();
  const values = new Map<string, TensorData>();
  for (const [name, { shape }] of clipParameters(config)) {
    const { name: stored, third, transposed = false } = find(name);
    const [rows, ...rest] = shape;
    const expected = third !== undefined ? [3 * rows!, ...rest] : transposed ? [...shape].reverse() : shape;
    const tensor = read.get(stored) ?? readTensor(weights, stored, expected);
    read.set(stored, tensor);
    const data = tensor.data as Float32Array;
    const size = data.length / 3;
    values.set(name, {
      dtype: 'float32',
      shape,
      data:
        third !== undefined
          ? data.subarray(third * size, (third + 1) * size)
          : transposed
            ? transposeMatrix(data, rows!, rest[0]!)
            : data,
    });
  }
  return values;
}

function sourcesOf(weights: ReadonlyMap<string, StoredTensor>): (name: string) => Source {
  if (weights.has('vision_model.embeddings.class_embedding')) return (name) => ({ name });
  if (weights.has('visual.class_embedding')) return openaiSource;
  throw new CheckpointError(
    'The weights are no CLIP with a vision transformer: they have neither vision_model.embeddings.class_embedding, ' +
      "as Hugging Face's do, nor visual.class_embedding, as OpenAI's do.",
  );
}

const OPENAI_NAMES = new Map<string, string>([
  ['text_model.embeddings.token_embedding.weight', 'token_embedding.weight'],
  ['text_model.embeddings.position_embedding.weight', 'positional_embedding'],
  ['text_model.final_layer_norm.weight', 'ln_final.weight'],
  ['text_model.final_layer_norm.bias', 'ln_final.bias'],
  ['vision_model.embeddings.class_embedding', 'visual.class_embedding'],
  ['vision_model.embeddings.patch_embedding.weight', 'visual.conv1.weight'],
  ['vision_model.embeddings.position_embedding.weight', 'visual.positional_embedding'],
  ['vision_model.pre_layrnorm.weight', 'visual.ln_pre.weight'],
  ['vision_model.pre_layrnorm.bias', 'visual.ln_pre.bias'],
  ['vision_model.post_layernorm.weight', 'visual.ln_post.weight'],
  ['vision_model.post_layernorm.bias', 'visual.ln_post.bias'],
  ['logit_scale', 'logit_scale'],
]);

const OPENAI_LAYER_PARTS: Readonly<Record<string, string>> = {
  layer_norm1: 'ln_1',
  layer_norm2: 'ln_2',
  'self_attn.out_proj': 'attn.out_proj',
  'mlp.fc1': 'mlp.c_fc',
  'mlp.fc2': 'mlp.c_proj',
};

/** Where OpenAI's checkpoints keep a parameter of `CLIPModel`. */
function openaiSource(name: string): Source {
  if (name === 'text_projection.weight') return { name: 'text_projection', transposed: true };
  if (name === 'visual_projection.weight') return { name: 'visual.proj', transposed: true };
  const layer = /^(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  if (!layer) return { name: OPENAI_NAMES.get(name)! };
  const [, tower, index, part, kind] = layer as unknown as [string, string, string, string, string];
  const block = `${tower === 'vision' ? 'visual.' : ''}transformer.resblocks.${index}`;
  const third = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'].indexOf(part);
  if (third >= 0) return { name: `${block}.attn.in_proj_${kind}`, third };
  return { name: `${block}.${OPENAI_LAYER_PARTS[part]}.${kind}` };
}

function readTensor(weights: ReadonlyMap<string, StoredTensor>, name: string, expected: readonly number[]): TensorData {
  const tensor = weights.get(name);
  if (!tensor) {
    throw new CheckpointError(
      `The weights have no tensor ${name}; the configuration asks for it: give the two of one model.`,
    );
  }
  if (!sameShape(tensor.shape, expected)) {
    throw new CheckpointError(
      `The weights' tensor ${name} has shape [${tensor.shape}], but the configuration asks for [${expected}]; give the two of one model.`,
    );
  }
  // One by one: a checkpoint may hold much that is not needed, and integers too.
  const parts = [name, `${name}.scale`, `${name}.outliers`, `${name}.outlier_positions`];
  const found = parts.flatMap((part) => (weights.has(part) ? [[part, weights.get(part)!] as const] : []));
  return dequantize(new Map(found)).get(name)!;
}

/** The matrix `[rows, columns]` of one that is stored as `[columns, rows]`. */
function transposeMatrix(data: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(data, (_, i) => data[(i % columns) * rows + Math.floor(i / columns)]!);
}
