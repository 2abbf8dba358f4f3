/** Where the parameters of a published model are in its `flax_model.msgpack`, a tree whose names are joined by slashes. */
import type { Shape } from '@dalle-mini/graph';
import type { TransformerConfig } from '../config.js';
import { type Half, type NormPlace, normPlaces } from '../options/norms.js';
import type { Stack } from '../stack.js';

type Kind = Stack['kind'];

const layerModules = { encoder: 'FlaxBartEncoderLayer', decoder: 'FlaxBartDecoderLayer' } as const;

/** Whether a published tensor is of this stack; the head is the decoder's. */
export function isOfStack(path: string, kind: Kind): boolean {
  return path.startsWith(`model/${kind}/`) || (kind === 'decoder' && path.startsWith('lm_head/'));
}

/**
 * The name of a parameter in a published model whose layers are not stacked: `layers.0.glu.fc0.weight` of a gated encoder is
 * `model/encoder/layers/FlaxBartEncoderLayer_0/GLU_0/Dense_0/kernel`.
 */
export function publishedName(parameter: string, shape: Shape, kind: Kind, config: TransformerConfig): string {
  const modules = parameter.split('.');
  const leaf = modules.pop()!;
  const isTable = /^(embed_tokens|embed_positions|rel_bias)$/.test(modules.at(-1)!);
  const published = leaf !== 'weight' ? leaf : isTable ? 'embedding' : shape.length === 1 ? 'scale' : 'kernel';
  const [first, layer, ...ofLayer] = modules as [string, ...string[]];
  if (first === 'lm_head') return `${first}/${published}`;
  const path =
    first === 'layers'
      ? [first, `${layerModules[kind]}_${layer}`, ...publishedModules(ofLayer, kind, config)]
      : modules;
  return ['model', kind, ...path, published].join('/');
}

/** Where flax has a module of a layer: `glu`, `fc1` is `GLU_0`, `Dense_1`. */
function publishedModules(
  [module, ...inside]: readonly string[],
  kind: Kind,
  { norm = 'layernorm', normPositions = 'normformer', gated = true }: TransformerConfig,
): string[] {
  const names = normNames(kind, normPositions);
  // Flax counts the norms of a module in the order in which it makes them.
  const numbered = (norms: readonly string[], name: string) =>
    `${norm === 'rmsnorm' ? 'RMSNorm' : 'LayerNorm'}_${norms.indexOf(name)}`;
  switch (module) {
    case 'self_attn':
      return ['FlaxBartAttention_0', ...inside];
    case 'encoder_attn':
      return ['FlaxBartAttention_1', ...inside];
    case 'glu': {
      const [inner] = inside as [string];
      // The linear layers that are not gated are called fc1 and fc2.
      const linear = /^fc(\d)$/.exec(inner);
      if (!linear) return [gated ? 'GLU_0' : 'FFN_0', numbered(names.feedForward, inner)];
      return gated ? ['GLU_0', `Dense_${linear[1]}`] : ['FFN_0', `Dense_${Number(linear[1]) - 1}`];
    }
    default:
      return [numbered(names.layer, module!)];
  }
}

/** A layer's norms in the order in which flax makes them: those of attention and of the whole layer, and of GLU or FFN. */
function normNames(
  kind: Kind,
  normPositions: Stack['normPositions'],
): { readonly layer: string[]; readonly feedForward: string[] } {
  const places = (half: Half) => normPlaces({ kind, normPositions }, half);
  const attentions =
    kind === 'encoder' ? ['self_attn_layer_norm'] : ['self_attn_layer_norm', 'encoder_attn_layer_norm'];
  const hasAny = (...wanted: NormPlace[]) => wanted.some((place) => places('attention').includes(place));
  const ofAttention = attentions.flatMap((name) => [
    ...(hasAny('before') ? [`pre_${name}`] : []),
    ...(hasAny('after', 'after sum') ? [name] : []),
  ]);
  const feedForward = { before: 'ln0', inside: 'ln1', after: 'ln2', 'after sum': '' };
  return {
    layer: [...ofAttention, 'final_layer_norm'],
    feedForward: places('feedForward').map((place) => feedForward[place]),
  };
}
