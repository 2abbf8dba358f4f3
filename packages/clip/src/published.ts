import type { TensorData } from '@dalle-mini/graph';
import {
  bindParameters,
  decodeParameter,
  type InMemory,
  type ParameterSource,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { CheckpointError, findModel, type StoredTensor } from '@dalle-mini/weights';
import { clipParameters } from './clip.js';
import type { ClipConfig } from './config.js';

/** Tensors that do not change what the model computes: numbers that Hugging Face's and OpenAI's code store next to the weights. */
const unneeded = /^((text|vision)_model\.embeddings\.position_ids|input_resolution|context_length|vocab_size)$/;

/**
 * Returns the parameters of a CLIP from a checkpoint in Hugging Face's layout or in OpenAI's: as float32, named as in Hugging Face's
 * `CLIPModel`. The tensors may have any floating-point type, or 8 bits with scales.
 *
 * @throws CheckpointError if the tensors are in neither layout, or if one is missing, has another shape than `config` asks for, or is
 * not known: it could change what the model computes.
 */
export function importClip(checkpoint: ReadonlyMap<string, StoredTensor>, config: ClipConfig): Map<string, TensorData> {
  const declared = clipParameters(config);
  const { prefix, tensors } = findModel(
    checkpoint,
    [...declared.keys()].map((name) => [name, openaiSource(name).name]),
  );
  const sourceOf = sourcesIn(tensors);
  const parameters = bindParameters(declared, checkpoint, {
    sources: (name) => {
      const source = sourceOf(name);
      return [{ ...source, name: prefix + source.name }];
    },
    isUnneeded: (name) =>
      !name.startsWith(prefix) || !tensors.has(name.slice(prefix.length)) || unneeded.test(name.slice(prefix.length)),
  });
  return new Map([...parameters].map(([name, value]) => [name, toFloat32(value)]));
}

function toFloat32(value: InMemory<StoredParameter>): TensorData {
  const data = value.kind === undefined ? (value.data as Float32Array) : decodeParameter(value);
  return { dtype: 'float32', shape: value.shape, data };
}

/** The place of each parameter in a checkpoint, whose names tell its layout. */
function sourcesIn(checkpoint: ReadonlyMap<string, unknown>): (name: string) => ParameterSource {
  if (checkpoint.has('vision_model.embeddings.class_embedding')) return (name) => ({ name });
  if (checkpoint.has('visual.class_embedding')) return openaiSource;
  throw new CheckpointError(
    'The weights must be those of a CLIP with a vision transformer: they have neither vision_model.embeddings.class_embedding, ' +
      "as Hugging Face's do, nor visual.class_embedding, as OpenAI's do.",
  );
}

const openaiNames = new Map<string, string>([
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

const openaiLayerParts: Readonly<Record<string, string>> = {
  layer_norm1: 'ln_1',
  layer_norm2: 'ln_2',
  'self_attn.out_proj': 'attn.out_proj',
  'mlp.fc1': 'mlp.c_fc',
  'mlp.fc2': 'mlp.c_proj',
};

/** Returns the place of a parameter of `CLIPModel` in OpenAI's checkpoints. */
function openaiSource(name: string): ParameterSource {
  if (name === 'text_projection.weight') return { name: 'text_projection', transposed: true };
  if (name === 'visual_projection.weight') return { name: 'visual.proj', transposed: true };
  const layer = /^(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  if (!layer) return { name: openaiNames.get(name)! };
  const [, tower, index, part, kind] = layer as unknown as [string, string, string, string, string];
  const block = `${tower === 'vision' ? 'visual.' : ''}transformer.resblocks.${index}`;
  const third = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'].indexOf(part);
  if (third >= 0) return { name: `${block}.attn.in_proj_${kind}`, part: { index: third, of: 3 } };
  return { name: `${block}.${openaiLayerParts[part]}.${kind}` };
}
