/**
 * Released VQ-GANs: the `.yaml` and the Lightning `.ckpt` of CompVis/taming-transformers, the `config.json` and the
 * `flax_model.msgpack` of patil-suraj/vqgan-jax, and the `detoker.pt` of kuprel/min-dalle, the decoder's half alone. Those of
 * vqgan-jax are written, too.
 */
import type { Shape } from '@dalle-mini/graph';
import { type Checkpoint, CheckpointError, type StoredTensor, transposeInPlace } from '@dalle-mini/weights';
import { checkVqganConfig, type VqganConfig } from './config.js';
import { vqganParameters } from './vqgan.js';

/**
 * The configuration of a release, from its parsed `config.json` or `.yaml`. What the file leaves out has the default of the
 * published code. A published `config.json` does not say which values pixels have: they are taken to be in [0, 1], as DALL·E Mini
 * decodes them. Set `pixelRange` to [−1, 1] for another port of a model of Taming's. One of {@link releaseVqganConfig} does say it.
 *
 * @throws RangeError that names the field of the file whose value is of the wrong kind, or which this model does not have.
 */
export function vqganConfigFromRelease(release: object): VqganConfig {
  const config = 'model' in release ? fromTaming(release.model) : fromFlax(release);
  checkVqganConfig(config);
  return config;
}

function fromTaming(model: unknown): VqganConfig {
  const { record, text, refuse } = fieldsOf(model, 'model.');
  const targets = [...QUANTIZERS.keys()].map((name) => `taming.models.vqgan.${name}`).join(', ');
  const quantizer = QUANTIZERS.get(text('target').split('.').at(-1)!) ?? refuse('target', `one of ${targets}`);
  const params = fieldsOf(record('params'), 'model.params.');
  params.mustBe('remap', null);
  return {
    ...sizesFrom(fieldsOf(params.record('ddconfig'), 'model.params.ddconfig.', TAMING_DEFAULTS)),
    embedDim: params.number('embed_dim'),
    nEmbed: params.number('n_embed'),
    quantizer,
  };
}

/** By the name of Taming's class. */
const QUANTIZERS = new Map<string, 'nearest' | 'gumbel'>([
  ['VQModel', 'nearest'],
  ['VQNoDiscModel', 'nearest'],
  ['GumbelVQ', 'gumbel'],
]);

const TAMING_DEFAULTS = { ch_mult: [1, 2, 4, 8], double_z: true, resamp_with_conv: true, give_pre_end: false };

function fromFlax(release: object): VqganConfig {
  const fields = fieldsOf(release, '', FLAX_DEFAULTS);
  // Every field has a default, so that any config.json at all would do.
  if (!('n_embed' in release))
    fields.refuse(
      'n_embed',
      'a number: give the config.json of vqgan-jax, or the .yaml of Taming, which has model.params',
    );
  return {
    ...sizesFrom(fields),
    embedDim: fields.number('embed_dim'),
    nEmbed: fields.number('n_embed'),
    pixelRange: fields.numbers('pixel_range') as [number, number],
  };
}

/** Of `VQGANConfig` in vqgan-jax, which has no `pixel_range`. */
const FLAX_DEFAULTS = {
  ch: 128,
  out_ch: 3,
  in_channels: 3,
  num_res_blocks: 2,
  resolution: 256,
  z_channels: 256,
  ch_mult: [1, 1, 2, 2, 4],
  attn_resolutions: [16],
  embed_dim: 256,
  double_z: false,
  resamp_with_conv: true,
  give_pre_end: false,
  pixel_range: [0, 1],
};

/**
 * The `config.json` of a release in the layout of vqgan-jax: the inverse of {@link vqganConfigFromRelease}. Only here is `pixel_range`
 * read; in Python, too, pixels have these values.
 *
 * @throws RangeError that names the field which vqgan-jax does not have.
 */
export function releaseVqganConfig(config: VqganConfig): Record<string, unknown> {
  checkReleasable(config);
  return {
    resolution: config.resolution,
    in_channels: config.inChannels,
    out_ch: config.inChannels,
    ch: config.ch,
    ch_mult: config.chMult,
    num_res_blocks: config.numResBlocks,
    attn_resolutions: config.attnResolutions,
    z_channels: config.zChannels,
    embed_dim: config.embedDim,
    n_embed: config.nEmbed,
    double_z: false,
    resamp_with_conv: true,
    give_pre_end: false,
    dropout: 0,
    pixel_range: config.pixelRange ?? [-1, 1],
  };
}

function checkReleasable(config: VqganConfig): void {
  checkVqganConfig(config);
  const published = { quantizer: 'nearest', normGroups: 32, decoderOnly: false } as const;
  for (const field of ['quantizer', 'normGroups', 'decoderOnly'] as const) {
    const value = config[field] ?? published[field];
    if (value !== published[field])
      throw new RangeError(
        `VQ-GAN config: ${field} must be ${JSON.stringify(published[field])}, the only one of vqgan-jax, to be released, not ${JSON.stringify(value)}`,
      );
  }
}

function sizesFrom({ number, numbers, mustBe }: Fields): Omit<VqganConfig, 'embedDim' | 'nEmbed'> {
  const inChannels = number('in_channels');
  mustBe('out_ch', inChannels);
  mustBe('double_z', false);
  mustBe('resamp_with_conv', true);
  mustBe('give_pre_end', false);
  return {
    resolution: number('resolution'),
    inChannels,
    ch: number('ch'),
    chMult: numbers('ch_mult'),
    numResBlocks: number('num_res_blocks'),
    attnResolutions: numbers('attn_resolutions'),
    zChannels: number('z_channels'),
  };
}

type Fields = ReturnType<typeof fieldsOf>;

/** Fields of a part of a configuration, which `path` leads to; those that are left out, or null, have a default or are refused. */
function fieldsOf(value: unknown, path: string, defaults: Readonly<Record<string, unknown>> = {}) {
  const values: Readonly<Record<string, unknown>> = isRecord(value) ? value : {};
  const get = (field: string) => values[field] ?? defaults[field] ?? null;
  const refuse = (field: string, wanted: string): never => {
    throw new RangeError(
      `released configuration: ${path}${field} must be ${wanted}, not ${JSON.stringify(get(field))}`,
    );
  };
  const read = <T>(field: string, is: (value: unknown) => value is T, wanted: string): T => {
    const found = get(field);
    return is(found) ? found : refuse(field, wanted);
  };
  return {
    number: (field: string) => read(field, isNumber, 'a number'),
    numbers: (field: string) => read(field, isNumbers, 'a list of numbers'),
    text: (field: string) => read(field, isText, 'text'),
    record: (field: string) => read(field, isRecord, 'a map of fields'),
    mustBe(field: string, wanted: unknown) {
      if (get(field) !== wanted) refuse(field, String(wanted));
    },
    refuse,
  };
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isNumber);
const isText = (value: unknown): value is string => typeof value === 'string';
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Takes the VQ-GAN out of a released checkpoint, whichever of the three layouts it has: its tensors under the names and in the
 * layouts of `vqganParameters`. What is left in `released` is of use to training only, the discriminator and LPIPS, or, if the
 * model is a decoder only, the encoder's.
 *
 * Nothing is held twice: what was taken is removed, and flax's kernels, `[height, width, in, out]`, are transposed in the memory
 * where they lie.
 *
 * @throws CheckpointError that names a tensor which is missing, of another shape, or not known.
 */
export function takeVqgan(released: Checkpoint, config: VqganConfig): Checkpoint {
  const parameters = vqganParameters(config);
  const names = new Map(
    [...parameters].flatMap(([name, { shape }]) =>
      releasedNames(name, shape).map((released) => [released, name] as const),
    ),
  );
  const taken: Checkpoint = new Map();
  for (const [name, tensor] of [...released]) {
    const path = name.replace(/^params\//, '');
    if (TRAINING_ONLY.test(path) || (config.decoderOnly && ENCODER.test(path))) continue;
    const current = names.get(path);
    if (current === undefined)
      throw new CheckpointError(
        `the release has the tensor ${name}, which a model of this configuration does not have; the two do not belong together`,
      );
    released.delete(name);
    taken.set(current, path.endsWith('/kernel') ? toOihw(tensor) : tensor);
  }
  for (const [name, { shape }] of parameters) {
    const tensor = taken.get(name);
    if (!tensor) throw new CheckpointError(`the release has nothing for ${name}; ${mendFor(name, taken)}`);
    if (tensor.shape.join() !== shape.join())
      throw new CheckpointError(
        `the release has ${name} of shape [${tensor.shape.join(', ')}], and this configuration asks for [${shape.join(', ')}]`,
      );
  }
  return taken;
}

/**
 * A VQ-GAN in the layout of vqgan-jax: the inverse of {@link takeVqgan}. Tensors that the model does not have are left out; those whose
 * elements stay in their places share their memory.
 *
 * @throws CheckpointError that names a tensor which is missing or of another shape; RangeError as {@link releaseVqganConfig}.
 */
export function releaseVqgan(weights: ReadonlyMap<string, StoredTensor>, config: VqganConfig): Checkpoint {
  checkReleasable(config);
  const released: Checkpoint = new Map();
  for (const [name, { shape }] of vqganParameters(config)) {
    const tensor = weights.get(name);
    if (!tensor || tensor.shape.join() !== shape.join())
      throw new CheckpointError(
        `the VQ-GAN's ${name} must be of shape [${shape.join(', ')}], and it is ${tensor ? `[${tensor.shape.join(', ')}]` : 'missing'}; give the weights that belong to this configuration`,
      );
    const published = flaxName(name, shape);
    released.set(published, published.endsWith('/kernel') ? toHwio(tensor) : tensor);
  }
  return released;
}

/** Parts of Taming's training: the losses with their networks, and the colours with which segmentations are drawn. */
const TRAINING_ONLY = /^(loss\.|colorize$)/;
const ENCODER = /^(encoder|quant_conv|quantize\.proj)[./]/;

function mendFor(name: string, taken: Checkpoint): string {
  const hasEncoder = [...taken.keys()].some((taken) => ENCODER.test(taken));
  return ENCODER.test(name) && !hasEncoder
    ? 'it is a decoder without its encoder, as that of min-dalle: set decoderOnly to true'
    : 'give the checkpoint that belongs to this configuration';
}

/** The names that releases have for a parameter: Taming's, which is the name here, vqgan-jax's, and min-dalle's for the codebook. */
function releasedNames(name: string, shape: Shape): string[] {
  const names = [name, flaxName(name, shape)];
  return name === 'quantize.embedding.weight' ? [...names, 'embedding.weight'] : names;
}

/** The name of a parameter in vqgan-jax: `encoder.down.0.block.0.norm1.weight` is `encoder/down_0/block_0/norm1/scale`. */
function flaxName(name: string, shape: Shape): string {
  const weight = shape.length === 4 ? 'kernel' : shape.length === 2 ? 'embedding' : 'scale';
  return name
    .replace(/\.(\d+)/g, '_$1')
    .replace(/\.weight$/, `.${weight}`)
    .replaceAll('.', '/');
}

/** A convolution's kernel `[height, width, in, out]` as `[out, in, height, width]`, in the same memory. */
function toOihw(tensor: StoredTensor): StoredTensor {
  // Of another shape than a kernel's, which is told when all shapes are checked.
  return tensor.shape.length === 4 ? transposeInPlace(tensor, [3, 2, 0, 1]) : tensor;
}

/** The inverse of {@link toOihw}, in other memory. */
function toHwio(tensor: StoredTensor): StoredTensor {
  return transposeInPlace({ ...tensor, bytes: new Uint8Array(tensor.bytes) }, [2, 3, 1, 0]);
}
