/**
 * Released models of borisdayma/dalle-mini, read and written: their `config.json`, a `DalleBartConfig`, and their
 * `flax_model.msgpack`, a tree of parameters whose names are joined by slashes, such as
 * `model/encoder/layers/FlaxBartEncoderLayers/GLU_0/Dense_0/kernel`.
 */
import type { Shape, Tensor } from '@dalle-mini/graph';
import {
  type Checkpoint,
  CheckpointError,
  fromFloat32,
  type StoredTensor,
  toFloat32,
  transposeInPlace,
} from '@dalle-mini/weights';
import { type BartConfig, bartParameters, checkBartConfig } from './bart.js';
import { type BartBlock, type BartBlockConfig, bartChoices, normPlacesOf } from './bart-block.js';

type Stack = BartBlock['stack'];

/** The field of `config.json` in which each option of a stack stands, and its value in the published code where it is left out. */
const blockFields = (stack: Stack) =>
  ({
    width: ['d_model', 1024],
    layers: [`${stack}_layers`, 12],
    heads: [`${stack}_attention_heads`, 16],
    feedForwardWidth: [`${stack}_ffn_dim`, 4096],
    normPositions: ['ln_positions', 'normformer'],
    norm: ['ln_type', 'layernorm'],
    forceNormScale: ['force_ln_scale', false],
    finalNorm: [`use_final_ln_${stack}`, true],
    gated: ['use_glu', true],
    activation: ['activation_function', 'gelu'],
    bias: ['use_bias', false],
    headScale: ['use_head_scale', false],
    scaleEmbedding: ['scale_embedding', false],
    absolutePositions: ['use_absolute_position_embeddings', true],
    relativePositions: ['use_swin_position_embeddings', false],
    cosineAttention: ['use_cosine_attention', false],
    tau: ['tau_init', 0.05],
    deepnetScaling: ['use_deepnet_scaling', false],
    sublnInit: ['use_subln_init', false],
    initStd: ['init_std', 0.02],
  }) satisfies { [Option in keyof BartBlockConfig]-?: [field: string, otherwise: BartBlockConfig[Option]] };

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
  const { flag, number, refuse, text } = readRelease(json);
  if (text('model_type', 'dallebart') !== 'dallebart') refuse('model_type', '"dallebart"');
  if (!flag('is_encoder_decoder', true)) refuse('is_encoder_decoder', 'true');
  if (flag('use_alibi', false)) refuse('use_alibi', 'false: the published code does not have it either');
  const choices: Readonly<Record<string, readonly string[]>> = bartChoices;
  const read = (option: string, field: string, otherwise: number | boolean | string) => {
    if (typeof otherwise === 'number') return number(field, otherwise);
    if (typeof otherwise === 'boolean') return flag(field, otherwise);
    const published = text(field, otherwise);
    // As the published code says: DeepNet's norms are those of postln.
    const value = field === 'ln_positions' && published === 'deepnet' ? 'postln' : published;
    return choices[option]!.includes(value) ? value : refuse(field, `one of ${choices[option]!.join(', ')}`);
  };
  const config = Object.fromEntries(
    Object.entries(blockFields(stack)).map(([option, [field, otherwise]]) => [option, read(option, field, otherwise)]),
  ) as unknown as Required<BartBlockConfig>;
  if (config.normPositions === 'swinv2' && flag('use_scan', false))
    refuse('use_scan', 'false where ln_positions is "swinv2", whose layers differ');
  for (const field of ['use_final_ln_encoder', 'use_final_ln_decoder']) {
    if (config.normPositions === 'postln' && !flag(field, true)) refuse(field, 'true where ln_positions is "postln"');
  }
  return config;
}

/** The fields of `config.json` from which {@link blockConfigFromRelease} reads the options of a stack. */
export function releaseBlockConfig(config: BartBlockConfig, stack: Stack): Record<string, number | boolean | string> {
  return Object.fromEntries(
    Object.entries(blockFields(stack)).map(([option, [field, otherwise]]) => [
      field,
      config[option as keyof BartBlockConfig] ?? otherwise,
    ]),
  );
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
  const names = new Map(
    [...parameters].map(([name, { shape }]) => [publishedName(name, shape, stack, config), name] as const),
  );
  const taken: Checkpoint = new Map();
  for (const [name, tensor] of [...released]) {
    const path = name.replace(/^params\//, '');
    if (!isOfStack(path, stack)) continue;
    released.delete(name);
    for (const [published, part] of eachLayer(path, tensor)) {
      const current = names.get(published);
      if (current === undefined)
        throw new CheckpointError(
          `the released ${stack} has ${name}, which a model of this config.json does not have; the two do not belong together`,
        );
      taken.set(current, fromPublishedLayout(published, part));
    }
  }
  const last = lastNormScale(config);
  if (last !== undefined && !taken.has(last))
    taken.set(last, fromFloat32(new Float32Array(config.width).fill(1), [config.width]));
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
  return taken;
}

/** How a release is laid out. */
export interface ReleaseOptions {
  /**
   * Whether the tensors of all layers are stacked along a first axis, as `use_scan` of `config.json` says. Default as published: true,
   * unless `normPositions` is `swinv2`, whose layers differ.
   */
  readonly scan?: boolean;
}

/**
 * The text encoder's part of a release: the inverse of {@link takeBart}. Tensors that the model does not have are left out;
 * those whose elements stay in their places share their memory.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, not of floats, or not to be had without `scan`;
 * RangeError if layers that differ are to be stacked.
 */
export function releaseBart(
  weights: ReadonlyMap<string, StoredTensor>,
  config: BartConfig,
  options: ReleaseOptions = {},
): Checkpoint {
  return releaseStack(weights, 'encoder', config, bartParameters(config), options);
}

/** {@link releaseBart} for either stack, whose parameters are given. */
export function releaseStack(
  weights: ReadonlyMap<string, StoredTensor>,
  stack: Stack,
  config: BartBlockConfig,
  parameters: ReadonlyMap<string, Tensor>,
  { scan = config.normPositions !== 'swinv2' }: ReleaseOptions,
): Checkpoint {
  if (scan && config.normPositions === 'swinv2')
    throw new RangeError('scan must be false where normPositions is swinv2, whose layers differ');
  const released: Checkpoint = new Map();
  for (const [name, { shape }] of parameters) {
    const tensor = weights.get(name);
    if (!tensor || !isFloat(tensor) || tensor.shape.join() !== shape.join())
      throw new CheckpointError(
        `the ${stack}'s ${name} must be floats of shape [${shape}], and it is ${tensor ? `${tensor.dtype} of shape [${tensor.shape}]` : 'missing'}; give the weights that belong to this configuration`,
      );
    if (!scan && name === lastNormScale(config)) {
      if (!toFloat32(tensor).every((scale) => scale === 1))
        throw new CheckpointError(
          `the ${stack}'s ${name} is not 1, and without scan a release has nothing for it; set scan to true`,
        );
      continue;
    }
    const published = publishedName(name, shape, stack, config);
    released.set(published, toPublishedLayout(published, tensor));
  }
  return scan ? stackLayers(released) : released;
}

const isFloat = ({ dtype }: StoredTensor) => dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';

/** The last norm of `postln`. The published one has a scale only where layers are stacked, and so have the same parameters. */
function lastNormScale({ normPositions, layers }: BartBlockConfig): string | undefined {
  return normPositions === 'postln' ? `layers.${layers - 1}.final_layer_norm.weight` : undefined;
}

/** Whether a released tensor is of this stack; the head is the decoder's. */
function isOfStack(path: string, stack: Stack): boolean {
  return path.startsWith(`model/${stack}/`) || (stack === 'decoder' && path.startsWith('lm_head/'));
}

const LAYER = { encoder: 'FlaxBartEncoderLayer', decoder: 'FlaxBartDecoderLayer' } as const;

/**
 * The name of a parameter in a release whose layers are not stacked: `layers.0.glu.fc0.weight` of a gated encoder is
 * `model/encoder/layers/FlaxBartEncoderLayer_0/GLU_0/Dense_0/kernel`.
 */
function publishedName(parameter: string, shape: Shape, stack: Stack, config: BartBlockConfig): string {
  const modules = parameter.split('.');
  const leaf = modules.pop()!;
  const isTable = /^(embed_tokens|embed_positions|rel_bias)$/.test(modules.at(-1)!);
  const published = leaf !== 'weight' ? leaf : isTable ? 'embedding' : shape.length === 1 ? 'scale' : 'kernel';
  const [first, layer, ...ofLayer] = modules as [string, ...string[]];
  if (first === 'lm_head') return `${first}/${published}`;
  const path =
    first === 'layers' ? [first, `${LAYER[stack]}_${layer}`, ...publishedModules(ofLayer, stack, config)] : modules;
  return ['model', stack, ...path, published].join('/');
}

/** Where flax has a module of a layer: `glu`, `fc1` is `GLU_0`, `Dense_1`. */
function publishedModules(
  [module, ...inside]: readonly string[],
  stack: Stack,
  { norm = 'layernorm', normPositions, gated = true }: BartBlockConfig,
): string[] {
  const names = normNames(stack, normPositions);
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
  stack: Stack,
  normPositions: BartBlockConfig['normPositions'],
): { readonly layer: string[]; readonly feedForward: string[] } {
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

const STACKED = /^(model\/(?:encoder|decoder)\/layers\/FlaxBart(?:En|De)coderLayer)s\/(.*)$/;

/** A tensor that is stacked along a first axis as one for each layer, under the names of layers that are not stacked; or the only one. */
function eachLayer(path: string, tensor: StoredTensor): [published: string, tensor: StoredTensor][] {
  const [, layer, rest] = STACKED.exec(path) ?? [];
  if (layer === undefined) return [[path, tensor]];
  const { dtype, shape, bytes } = tensor;
  const [layers, ...ofLayer] = shape as [number, ...number[]];
  const size = bytes.byteLength / layers;
  return Array.from({ length: layers }, (_, i) => [
    `${layer}_${i}/${rest}`,
    { dtype, shape: ofLayer, bytes: bytes.subarray(i * size, (i + 1) * size) },
  ]);
}

/** The inverse of {@link eachLayer}, for a release in which each layer comes after the one before it. */
function stackLayers(released: Checkpoint): Checkpoint {
  const together = new Map<string, StoredTensor[]>();
  for (const [name, tensor] of released) {
    const stacked = name.replace(/(Layer)_\d+\//, '$1s/');
    together.set(stacked, [...(together.get(stacked) ?? []), tensor]);
  }
  const isStacked = (name: string) => STACKED.test(name);
  return new Map([...together].map(([name, layers]) => [name, isStacked(name) ? stack(name, layers) : layers[0]!]));
}

function stack(name: string, layers: readonly StoredTensor[]): StoredTensor {
  const { dtype, shape, bytes } = layers[0]!;
  const stacked = new Uint8Array(layers.length * bytes.byteLength);
  for (const [i, layer] of layers.entries()) {
    if (layer.dtype !== dtype)
      throw new CheckpointError(`layers of ${name} are ${dtype} and ${layer.dtype}; give all in one type`);
    stacked.set(layer.bytes, i * bytes.byteLength);
  }
  return { dtype, shape: [layers.length, ...shape], bytes: stacked };
}

/** A released tensor in the layout that it has here: a kernel `[in, out]` as `[out, in]`, in the same memory. */
function fromPublishedLayout(published: string, tensor: StoredTensor): StoredTensor {
  const { shape } = tensor;
  // [1, 1, heads, 1]
  if (published.endsWith('/head_scale')) return { ...tensor, shape: [shape[2]!] };
  // Of another shape than a kernel's, which is told when all shapes are checked.
  return published.endsWith('/kernel') && shape.length === 2 ? transposeInPlace(tensor, [1, 0]) : tensor;
}

/** The inverse of {@link fromPublishedLayout}, in other memory where elements move. */
function toPublishedLayout(published: string, tensor: StoredTensor): StoredTensor {
  if (published.endsWith('/head_scale')) return { ...tensor, shape: [1, 1, ...tensor.shape, 1] };
  const copy = () => ({ ...tensor, bytes: new Uint8Array(tensor.bytes) });
  return published.endsWith('/kernel') ? transposeInPlace(copy(), [1, 0]) : tensor;
}
