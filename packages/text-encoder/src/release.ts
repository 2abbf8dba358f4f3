/**
 * Released models of borisdayma/dalle-mini: their `config.json`, a `DalleBartConfig`, and their `flax_model.msgpack`, a tree of
 * parameters whose names are joined by slashes, such as `model/encoder/layers/FlaxBartEncoderLayers/GLU_0/Dense_0/kernel`.
 */
import type { Tensor } from '@dalle-mini/graph';
import {
  type Checkpoint,
  CheckpointError,
  fromFloat32,
  type StoredTensor,
  transposeInPlace,
} from '@dalle-mini/weights';
import { type BartConfig, bartParameters, checkBartConfig } from './bart.js';
import { type BartBlock, type BartBlockConfig, bartChoices, type NormPositions, normPlacesOf } from './bart-block.js';

type Stack = BartBlock['stack'];

/**
 * The text encoder's configuration, from the parsed `config.json` of a release. What the file leaves out has the default of
 * the published code.
 *
 * @throws RangeError that names the field of the file which the published code refuses or cannot run, or whose value is of the wrong kind.
 */
export function bartConfigFromRelease(json: object): BartConfig {
  const release = readRelease(json);
  const config = {
    vocabularySize: release.number('encoder_vocab_size', 50264),
    maxLength: release.number('max_text_length', 64),
    ...blockConfigFromRelease(json, 'encoder'),
    decoderLayers: release.number('decoder_layers', 12),
    sinkhornIterations: release.number('sinkhorn_iters', 1),
  };
  checkBartConfig(config);
  return config;
}

/** What encoder and decoder have in common, from the parsed `config.json` of a release: see {@link bartConfigFromRelease}. */
export function blockConfigFromRelease(json: object, stack: Stack): Required<BartBlockConfig> {
  const release = readRelease(json);
  const { flag, number, refuse, text } = release;
  if (text('model_type', 'dallebart') !== 'dallebart') refuse('model_type', '"dallebart"');
  if (!flag('is_encoder_decoder', true)) refuse('is_encoder_decoder', 'true');
  if (flag('use_alibi', false)) refuse('use_alibi', 'false: the published code does not have it either');
  const published = text('ln_positions', 'normformer');
  // As the published code says: DeepNet's norms are those of postln.
  const normPositions = published === 'deepnet' ? 'postln' : published;
  if (normPositions === 'swinv2' && flag('use_scan', false))
    refuse('use_scan', 'false where ln_positions is "swinv2", whose layers differ');
  for (const field of ['use_final_ln_encoder', 'use_final_ln_decoder']) {
    if (normPositions === 'postln' && !flag(field, true)) refuse(field, 'true where ln_positions is "postln"');
  }
  const allowed = <Value extends string>(field: string, value: string, choices: readonly Value[]): Value =>
    choices.find((choice) => choice === value) ?? refuse(field, `one of ${choices.join(', ')}`);
  return {
    width: number('d_model', 1024),
    layers: number(`${stack}_layers`, 12),
    heads: number(`${stack}_attention_heads`, 16),
    feedForwardWidth: number(`${stack}_ffn_dim`, 4096),
    normPositions: allowed<NormPositions>('ln_positions', normPositions, [
      'normformer',
      'swinv2',
      'cogview',
      'postln',
      'preln',
      'subln',
    ]),
    norm: allowed('ln_type', text('ln_type', 'layernorm'), bartChoices.norm),
    forceNormScale: flag('force_ln_scale', false),
    finalNorm: flag(`use_final_ln_${stack}`, true),
    gated: flag('use_glu', true),
    activation: allowed('activation_function', text('activation_function', 'gelu'), bartChoices.activation),
    bias: flag('use_bias', false),
    headScale: flag('use_head_scale', false),
    scaleEmbedding: flag('scale_embedding', false),
    absolutePositions: flag('use_absolute_position_embeddings', true),
    relativePositions: flag('use_swin_position_embeddings', false),
    cosineAttention: flag('use_cosine_attention', false),
    tau: number('tau_init', 0.05),
    deepnetScaling: flag('use_deepnet_scaling', false),
    sublnInit: flag('use_subln_init', false),
    initStd: number('init_std', 0.02),
  };
}

/** Fields of a release's `config.json`, each with the published default where the file leaves it out or has null. */
export function readRelease(json: object): {
  number(field: string, otherwise: number): number;
  flag(field: string, otherwise: boolean): boolean;
  text(field: string, otherwise: string): string;
  /** @throws RangeError that says what the field must be. */
  refuse(field: string, wanted: string): never;
} {
  const file = json as Record<string, unknown>;
  const refuse = (field: string, wanted: string): never => {
    throw new RangeError(`config.json: ${field} must be ${wanted}, not ${JSON.stringify(file[field])}`);
  };
  const read = (field: string, type: string, otherwise: unknown, wanted: string) => {
    const value = file[field] ?? otherwise;
    return typeof value === type ? value : refuse(field, wanted);
  };
  return {
    number: (field, otherwise) => read(field, 'number', otherwise, 'a number') as number,
    flag: (field, otherwise) => read(field, 'boolean', otherwise, 'true or false') as boolean,
    text: (field, otherwise) => read(field, 'string', otherwise, 'a string') as string,
    refuse,
  };
}

/**
 * Takes the text encoder out of a released checkpoint: its tensors under the names and in the layouts of {@link bart}, with
 * the layers one by one, whether the release has them stacked or not. What is left in `released` is the decoder's.
 *
 * Nothing is held twice: what was taken is removed, what can be is a view of the released bytes, and kernels, which flax has
 * as `[in, out]`, are transposed in the memory where they lie.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, or not known.
 */
export function takeBart(released: Checkpoint, config: BartConfig): Checkpoint {
  return takeStack(released, 'encoder', config, bartParameters(config));
}

/** {@link takeBart} for either stack, whose parameters are given; the decoder's has the head, `lm_head`, too. */
export function takeStack(
  released: Checkpoint,
  stack: Stack,
  config: BartBlockConfig,
  parameters: ReadonlyMap<string, Tensor>,
): Checkpoint {
  const taken: Checkpoint = new Map();
  for (const [name, tensor] of [...released]) {
    const path = pathInStack(name, stack);
    if (path === undefined) continue;
    released.delete(name);
    for (const [target, part] of ofLayers(path, tensor)) {
      const [current, layout] = renamed(target, name, stack, config.normPositions);
      taken.set(current, layout(part));
    }
  }
  // Where layers are not stacked the last norm of postln has no scale.
  const last = `layers.${config.layers - 1}.final_layer_norm.weight`;
  if (config.normPositions === 'postln' && !taken.has(last))
    taken.set(last, fromFloat32(new Float32Array(config.width).fill(1), [config.width]));
  check(taken, stack, parameters);
  return taken;
}

/** The rest of a name of this stack, or undefined for one of the other stack. */
function pathInStack(name: string, stack: Stack): string | undefined {
  const path = name.replace(/^params\//, '');
  const start = `model/${stack}/`;
  if (path.startsWith(start)) return path.slice(start.length);
  return stack === 'decoder' && path.startsWith('lm_head/') ? path : undefined;
}

/** A tensor that is stacked, along a first axis, one for each layer; or the only one. Paths of layers then start with `layers/<number>/`. */
function ofLayers(path: string, tensor: StoredTensor): [path: string, tensor: StoredTensor][] {
  const stacked = /^layers\/FlaxBart(?:En|De)coderLayers\/(.*)$/.exec(path);
  if (!stacked) return [[path.replace(/^layers\/FlaxBart(?:En|De)coderLayer_(\d+)\//, 'layers/$1/'), tensor]];
  const { dtype, shape, bytes } = tensor;
  const [layers, ...ofLayer] = shape as [number, ...number[]];
  const size = bytes.byteLength / layers;
  return Array.from({ length: layers }, (_, layer) => [
    `layers/${layer}/${stacked[1]}`,
    { dtype, shape: ofLayer, bytes: bytes.subarray(layer * size, (layer + 1) * size) },
  ]);
}

/** The name that a tensor has here, and its layout. */
function renamed(
  path: string,
  released: string,
  stack: Stack,
  normPositions?: NormPositions,
): [name: string, layout: (tensor: StoredTensor) => StoredTensor] {
  const parts = path.split('/');
  const leaf = parts.pop()!;
  if (parts[0] === 'layers') parts.splice(2, Infinity, ...moduleName(parts.slice(2), stack, normPositions));
  const name = (last: string) => [...parts, last].join('.');
  switch (leaf) {
    case 'kernel':
      return [name('weight'), transposed];
    case 'embedding':
    case 'scale':
      return [name('weight'), (tensor) => tensor];
    case 'bias':
      return [name('bias'), (tensor) => tensor];
    case 'head_scale':
      // [1, 1, heads, 1]
      return [name('head_scale'), (tensor) => ({ ...tensor, shape: [tensor.shape[2]!] })];
    default:
      throw new CheckpointError(`the released tensor ${released} is none that the published model of today has`);
  }
}

/** Where a module of flax in a layer has its counterpart: `GLU_0`, `Dense_1` is `glu`, `fc1`. */
function moduleName([module, ...rest]: readonly string[], stack: Stack, normPositions?: NormPositions): string[] {
  const norms = normNames(stack, normPositions);
  const [kind, index] = module!.split('_') as [string, string];
  if (kind === 'FlaxBartAttention') return [['self_attn', 'encoder_attn'][Number(index)]!, ...rest];
  if (isNorm(kind)) return [norms.layer[Number(index)] ?? module!, ...rest];
  const [inner, innerIndex] = (rest[0] ?? '').split('_') as [string, string];
  if (isNorm(inner)) return ['glu', norms.feedForward[Number(innerIndex)] ?? inner];
  // The layers that are not gated are called fc1 and fc2.
  return ['glu', `fc${Number(innerIndex) + (kind === 'FFN' ? 1 : 0)}`];
}

const isNorm = (kind: string) => kind === 'LayerNorm' || kind === 'RMSNorm';

/** A layer's norms in the order in which flax makes and numbers them: those of attention and of the whole layer, and of GLU or FFN. */
function normNames(stack: Stack, normPositions?: NormPositions): { layer: string[]; feedForward: string[] } {
  const places = normPlacesOf({ stack, normPositions });
  const attentions =
    stack === 'encoder' ? ['self_attn_layer_norm'] : ['self_attn_layer_norm', 'encoder_attn_layer_norm'];
  const hasAny = (...wanted: string[]) => wanted.some((place) => places.attention.includes(place as never));
  const ofAttention = attentions.flatMap((name) => [
    ...(hasAny('before') ? [`pre_${name}`] : []),
    ...(hasAny('after', 'after sum') ? [name] : []),
  ]);
  const feedForward = { before: 'ln0', inside: 'ln1', after: 'ln2', 'after sum': '' };
  return {
    layer: [...ofAttention, 'final_layer_norm'],
    feedForward: places.feedForward.map((place) => feedForward[place]),
  };
}

/** A matrix `[in, out]` as `[out, in]`, in the same memory. */
function transposed(tensor: StoredTensor): StoredTensor {
  // Of another shape than a kernel's, which is told when all shapes are checked.
  return tensor.shape.length === 2 ? transposeInPlace(tensor, [1, 0]) : tensor;
}

function check(taken: Checkpoint, stack: Stack, parameters: ReadonlyMap<string, Tensor>): void {
  for (const [name, { shape }] of parameters) {
    const tensor = taken.get(name);
    if (!tensor)
      throw new CheckpointError(
        `the released ${stack} has nothing for ${name}; give the checkpoint that belongs to this config.json`,
      );
    if (tensor.shape.join() !== shape.join())
      throw new CheckpointError(
        `the released ${stack} has ${name} of shape [${tensor.shape}], and this config.json asks for [${shape}]`,
      );
  }
  for (const name of taken.keys()) {
    if (!parameters.has(name))
      throw new CheckpointError(
        `the released ${stack} has ${name}, which a model of this config.json does not have; the two do not belong together`,
      );
  }
}
