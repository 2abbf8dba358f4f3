import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@dalle-mini/core';
import { type Graph, input, ParameterScope, sizeOf, type TensorData } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize } from '@dalle-mini/graph/stored';
import { randomImages, attentiveVqgan as tiny } from '@dalle-mini/testing/tiny-vqgan';
import {
  decodeTokens,
  discriminatorParameters,
  encodeImages,
  exportVqgan,
  exportVqganConfig,
  importDiscriminator,
  importLlamaGenTokenizerConfig,
  importVqgan,
  importVqganConfig,
  reconstruct,
  type VqganConfig,
  VqganTokenizer,
  vqganParameters,
  vqganPresets,
} from '@dalle-mini/vqgan';
import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
import {
  type Checkpoint,
  CheckpointError,
  fromFloat32,
  readCheckpoint,
  type StoredTensor,
  toFloat32,
  toInt32,
  writeFlaxMsgpack,
} from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const fixtures = fileURLToPath(new URL('fixtures/published', import.meta.url));
const readText = (file: string) => readFile(join(fixtures, file), 'utf8');
const readTensors = async (file: string) => readCheckpoint(await readFile(join(fixtures, file))).tensors;

/** A release of Taming's that its own code wrote, `taming` or `gumbel`. */
async function release(name: string): Promise<{ json: Taming; config: VqganConfig; checkpoint: Checkpoint }> {
  const json = parse(await readText(`${name}/model.yaml`));
  return { json, config: importVqganConfig(json), checkpoint: await readTensors(`${name}/last.ckpt`) };
}

/** A release that vqgan-jax itself wrote. */
async function vqganJax() {
  const config = importVqganConfig(JSON.parse(await readText('vqgan-jax/config.json')));
  return { config, checkpoint: await readTensors('vqgan-jax/flax_model.msgpack') };
}

interface Taming {
  readonly model: { readonly params: { ddconfig: object; n_embed: number; embed_dim: number } };
}

/** A release of vqgan-jax: Taming's, as that repository's `convert_pt_model_to_jax.py` says that names and kernels become. */
async function flaxRelease() {
  const { json, checkpoint } = await release('taming');
  const { ddconfig, n_embed, embed_dim } = json.model.params;
  const converted: Checkpoint = new Map();
  for (const [name, tensor] of checkpoint) {
    if (name.startsWith('loss.')) continue;
    const path = name.replace(/\w+\.\d+/g, (numbered) => numbered.replace('.', '_')).replaceAll('.', '/');
    if (tensor.shape.length === 4) converted.set(path.replace(/weight$/, 'kernel'), toHwio(tensor));
    else if (path.includes('norm')) converted.set(path.replace(/weight$/, 'scale'), tensor);
    else converted.set(path.replace(/embedding\/weight$/, 'embedding/embedding'), tensor);
  }
  const config = { ...ddconfig, n_embed, embed_dim, model_type: '', transformers_version: '4.25.1' };
  return { json: config, config: importVqganConfig(config), checkpoint: converted };
}

/** `[out, in, height, width]` to `[height, width, in, out]`, in float32. */
function toHwio(tensor: StoredTensor): StoredTensor {
  const [outputs, inputs, height, width] = tensor.shape as [number, number, number, number];
  const values = toFloat32(tensor);
  const moved = new Float32Array(values.length);
  for (const [i, value] of values.entries()) {
    const pixel = i % (height * width);
    const row = Math.floor(i / (height * width));
    moved[(pixel * inputs + (row % inputs)) * outputs + Math.floor(row / inputs)] = value;
  }
  return fromFloat32(moved, [height, width, inputs, outputs], 'F16');
}

const valuesOf = (tensors: Checkpoint): Map<string, TensorData> => new Map(dequantize(tensors));

async function run(graph: Graph, parameters: Map<string, TensorData>, inputs: Record<string, TensorData>) {
  const executable = await runtime.compile(graph, { parameters });
  return executable.run(inputs);
}

async function decode(config: VqganConfig, parameters: Map<string, TensorData>, expected: Checkpoint) {
  const stored = expected.get('tokens')!;
  const [batch] = stored.shape as [number];
  const data = toInt32(stored);
  const shape = [batch, data.length / batch];
  const tokens = input('tokens', shape, 'int32');
  const graph = { inputs: { tokens }, outputs: { images: decodeTokens(new ParameterScope(), tokens, config) } };
  return (await run(graph, parameters, { tokens: { dtype: 'int32', shape, data } })).images!;
}

/** The largest difference, relative to the largest value. */
function relativeError(actual: TensorData, expected: Float32Array): number {
  expect(actual.data.length).toBe(expected.length);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual.data[i]!)), 0) / scale;
}

const json = { n_embed: 16384 };
const ddconfig = {
  double_z: false,
  z_channels: 256,
  resolution: 256,
  in_channels: 3,
  out_ch: 3,
  ch: 128,
  ch_mult: [1, 1, 2, 4],
  num_res_blocks: 2,
  attn_resolutions: [32],
  dropout: 0,
};
const params = { embed_dim: 256, n_embed: 8192, kl_weight: 1e-8, ddconfig };
const yaml = { model: { target: 'taming.models.vqgan.GumbelVQ', params } };

describe('importVqganConfig', () => {
  test('reads the configurations of the published models', () => {
    expect(importVqganConfig(yaml)).toEqual(vqganPresets['gumbel-f8-8192']);
    expect(importVqganConfig({ ...json, attn_resolutions: null })).toEqual(vqganPresets['dalle-mini']);
    const imagenet = { ...ddconfig, ch_mult: [1, 1, 2, 2, 4], attn_resolutions: [16] };
    const model = { target: 'taming.models.vqgan.VQModel', params: { ...params, ddconfig: imagenet, n_embed: 1024 } };
    expect(importVqganConfig({ model })).toEqual({ ...vqganPresets['f16-1024'], quantizer: 'nearest' });
  });

  const withTaming = (change: object) => ({ model: { ...yaml.model, params: { ...params, ...change } } });
  test.each<[object, string]>([
    [{ model_type: 'dallebart' }, 'n_embed is missing'],
    [{ model: { target: 'x.EMAVQ' } }, 'model.target must be one of taming.models.vqgan.VQModel, '],
    [{ model: { target: yaml.model.target } }, 'model.params is missing'],
    [withTaming({ n_embed: '8192' }), 'model.params.n_embed must be a whole number from 1 to 16777216, not "8192".'],
    [withTaming({ remap: 'used.npy' }), 'model.params.remap must be null, not "used.npy".'],
    [
      withTaming({ ddconfig: { ...ddconfig, double_z: true } }),
      'model.params.ddconfig.double_z must be false, not true.',
    ],
    [withTaming({ ddconfig: { ...ddconfig, double_z: undefined } }), 'model.params.ddconfig.double_z is missing'],
    [
      withTaming({ ddconfig: { ...ddconfig, out_ch: 1 } }),
      'model.params.ddconfig.out_ch must be equal to in_channels, 3',
    ],
    [withTaming({ ddconfig: { ...ddconfig, ch: undefined } }), 'model.params.ddconfig.ch is missing'],
    [
      withTaming({ ddconfig: { ...ddconfig, num_res_blocks: 1e5 } }),
      'ddconfig.num_res_blocks must be a whole number from 1 to 64',
    ],
    [withTaming({ embed_dim: 128 }), 'embedDim must be equal to zChannels, 256, with quantizer "gumbel", not 128.'],
    [{ ...json, ch_mult: [1, '2'] }, 'ch_mult[1] must be a whole number'],
    [{ ...json, z_channels: 1e9 }, 'z_channels must be a whole number'],
    [{ ...json, resamp_with_conv: false }, 'resamp_with_conv must be true, not false.'],
    [{ ...json, give_pre_end: true }, 'give_pre_end must be false, not true.'],
    [
      withTaming({ ddconfig: { ...ddconfig, attn_type: 'linear' } }),
      'model.params.ddconfig.attn_type is "linear", an option that changes what the model computes',
    ],
    [{ ...json, tanh_out: true }, 'tanh_out is true, an option'],
  ])('refuses %j', (published, message) => {
    expect(() => importVqganConfig(published, 'model.yaml')).toThrow(ConfigError);
    expect(() => importVqganConfig(published, 'model.yaml')).toThrow(`model.yaml: `);
    expect(() => importVqganConfig(published)).toThrow(message);
  });
});

describe.each([
  ['taming', 'taming', () => release('taming')],
  ['gumbel', 'gumbel', () => release('gumbel')],
  ['vqgan-jax', 'vqgan-jax', vqganJax],
  ['Taming, converted to vqgan-jax', 'taming', flaxRelease],
] as const)('a release of %s', (_, name, read) => {
  test('encodes to exactly the published tokens', async () => {
    const { config, checkpoint } = await read();
    const expected = await readTensors(`${name}/expected.safetensors`);
    const stored = expected.get('input')!;
    const images = input('images', stored.shape);
    const graph = { inputs: { images }, outputs: { tokens: encodeImages(new ParameterScope(), images, config) } };
    const given = { dtype: 'float32', shape: stored.shape, data: toFloat32(stored) } as const;
    const { tokens } = await run(graph, valuesOf(importVqgan(checkpoint, config)), { images: given });
    expect([...tokens!.data]).toEqual([...toInt32(expected.get('tokens')!)]);
  });

  test('decodes the tokens to the published pixels', async () => {
    const { config, checkpoint } = await read();
    const expected = await readTensors(`${name}/expected.safetensors`);
    const images = await decode(config, valuesOf(importVqgan(checkpoint, config)), expected);
    // Sums in another order: float32 has 24 bits, and each layer adds some rounding.
    expect(relativeError(images, toFloat32(expected.get('reconstruction')!))).toBeLessThan(1e-4);
  });

  test('needs no other memory than that of the release, and leaves what only training needs', async () => {
    const { config, checkpoint } = await read();
    const given = new Set([...checkpoint.values()].map(({ bytes }) => bytes.buffer));
    for (const { bytes } of importVqgan(checkpoint, config).values()) expect(given).toContain(bytes.buffer);
    for (const left of checkpoint.keys()) expect(left).toMatch(/^loss\.discriminator\./);
    expect(checkpoint.size > 0).toBe(read !== flaxRelease && read !== vqganJax);
  });
});

describe('importDiscriminator', () => {
  const tensor = fromFloat32(Float32Array.of(1), [1]);

  test('takes the discriminator out of a checkpoint of training, without a prefix', () => {
    const checkpoint: Checkpoint = new Map([
      ['module.encoder.conv_in.bias', tensor],
      ['module.loss.discriminator.main.0.bias', tensor],
      ['loss.perceptual_loss.lin0.model.1.weight', tensor],
      ['closs.discriminator.main.0.bias', tensor],
    ]);
    expect([...importDiscriminator(checkpoint)]).toEqual([['loss.discriminator.main.0.bias', tensor]]);
    expect(checkpoint.has('module.loss.discriminator.main.0.bias')).toBe(false);
    expect(checkpoint.size).toBe(3);
  });

  test('finds none in a checkpoint for inference', () => {
    expect(importDiscriminator(new Map([['encoder.conv_in.bias', tensor]])).size).toBe(0);
  });
});

describe('importVqgan', () => {
  test.each([
    ['taming', 'f16-16384'],
    ['gumbel', 'gumbel-f8-8192'],
    ['min-dalle', 'min-dalle'],
  ] as const)('knows every tensor of the published code at its full size, of %s', async (name, preset) => {
    const config = vqganPresets[preset];
    const published: Record<string, number[]> = JSON.parse(await readText(`names-${name}.json`));
    const expected = Object.entries(published)
      .filter(([key]) => !key.startsWith('loss.'))
      .map(([key, shape]): [string, number[]] => [
        key === 'embedding.weight' ? 'quantize.embedding.weight' : key,
        shape,
      ]);
    const parameters = [...vqganParameters(config)].map(([key, { shape }]) => [key, [...shape]]);
    expect(Object.fromEntries(parameters)).toEqual(Object.fromEntries(expected));
  });

  test('leaves the discriminator of Taming, whose names and shapes are those of discriminatorParameters', async () => {
    const published: Record<string, number[]> = JSON.parse(await readText('names-taming.json'));
    const expected = Object.entries(published).filter(([key]) => key.startsWith('loss.discriminator.'));
    expect(expected.length).toBeGreaterThan(5);
    const declared = discriminatorParameters({ layers: 1, width: 1 });
    expect(Object.fromEntries([...declared].map(([key, { shape }]) => [key, [...shape]]))).toEqual(
      Object.fromEntries(expected),
    );
  });

  test('splits the numbers off the names of levels and their blocks, and leaves those of the middle', async () => {
    const config = { ...tiny, attnResolutions: [16, 8] };
    const names = [...vqganParameters(config).keys()];
    const released = [
      'encoder/down_0/block_0/norm1/scale',
      'encoder/down_1/block_0/nin_shortcut/kernel',
      'encoder/down_1/attn_0/proj_out/bias',
      'encoder/down_0/downsample/conv/kernel',
      'encoder/mid/block_1/conv1/kernel',
      'decoder/mid/attn_1/q/kernel',
      'decoder/up_1/attn_1/norm/scale',
      'decoder/up_1/upsample/conv/bias',
      'decoder/norm_out/scale',
      'quantize/embedding/embedding',
    ];
    const current = [
      'encoder.down.0.block.0.norm1.weight',
      'encoder.down.1.block.0.nin_shortcut.weight',
      'encoder.down.1.attn.0.proj_out.bias',
      'encoder.down.0.downsample.conv.weight',
      'encoder.mid.block_1.conv1.weight',
      'decoder.mid.attn_1.q.weight',
      'decoder.up.1.attn.1.norm.weight',
      'decoder.up.1.upsample.conv.bias',
      'decoder.norm_out.weight',
      'quantize.embedding.weight',
    ];
    expect(names).toEqual(expect.arrayContaining(current));
    for (const [i, name] of released.entries()) {
      // All other tensors are there: the one that is told is the one of a wrong shape.
      const checkpoint: Checkpoint = new Map(
        [...vqganParameters(config)]
          .filter(([key]) => key !== current[i])
          .map(([key, { shape }]) => [key, fromFloat32(new Float32Array(sizeOf(shape)), shape)]),
      );
      checkpoint.set(name, fromFloat32(new Float32Array(7), [7]));
      expect(() => importVqgan(checkpoint, config)).toThrow(`: ${current[i]} must have shape [`);
    }
  });

  test('transposes the kernels of flax wherever their bytes lie', async () => {
    const { config, checkpoint } = await flaxRelease();
    const taming = (await release('taming')).checkpoint;
    const name = 'decoder/conv_out/kernel';
    const { dtype, shape, bytes } = checkpoint.get(name)!;
    const unaligned = new Uint8Array(bytes.byteLength + 1).subarray(1);
    unaligned.set(bytes);
    checkpoint.set(name, { dtype, shape, bytes: unaligned });
    const taken = importVqgan(checkpoint, config);
    for (const key of ['decoder.conv_out.weight', 'encoder.conv_in.weight', 'quant_conv.weight']) {
      expect(taken.get(key)!.shape).toEqual(taming.get(key)!.shape);
      expect(toFloat32(taken.get(key)!)).toEqual(toFloat32(taming.get(key)!));
    }
  });

  test.each(['module.', '_orig_mod.', 'model.', 'vqgan.', 'first_stage_model.', 'model.module.'])(
    'finds a model under %s',
    async (prefix) => {
      const { config, checkpoint } = await release('taming');
      const named = (): Checkpoint =>
        new Map([
          ...[...checkpoint].map(([name, tensor]) => [prefix + name, tensor] as const),
          ['cond_stage_model.weight', checkpoint.get('decoder.conv_in.bias')!],
        ]);
      const left = named();
      const taken = importVqgan(left, config);
      expect(taken).toEqual(importVqgan((await release('taming')).checkpoint, config));
      expect([...left.keys()].filter((name) => !/loss\.|cond_stage/.test(name))).toEqual([]);
      const more = named().set(`${prefix}decoder.gamma`, checkpoint.get('decoder.conv_in.bias')!);
      expect(() => importVqgan(more, config)).toThrow('decoder.gamma is not a tensor of this model');
    },
  );

  test('names a tensor that is missing, of another shape, or not known', async () => {
    const config = (await release('taming')).config;
    const failure = async (change: (checkpoint: Checkpoint) => void) => {
      const { checkpoint } = await release('taming');
      change(checkpoint);
      try {
        importVqgan(checkpoint, config);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
        return (error as Error).message;
      }
      return expect.fail('it was taken');
    };
    const wrong = fromFloat32(new Float32Array(2), [2]);
    expect(await failure((c) => c.delete('decoder.conv_in.bias'))).toBe(
      'The weights must be those that the configuration describes: decoder.conv_in.bias is missing. Pass the weights and the configuration of the same model.',
    );
    expect(await failure((c) => c.set('decoder.conv_in.bias', wrong))).toBe(
      'The weights must be those that the configuration describes: decoder.conv_in.bias must have shape [32], not [2]. Pass the weights and the configuration of the same model.',
    );
    expect(await failure((c) => c.set('decoder.mid.bias', wrong))).toBe(
      'The weights must be those that the configuration describes: decoder.mid.bias is not a tensor of this model. Pass the weights and the configuration of the same model.',
    );
    expect(
      await failure((c) => {
        for (const name of [...c.keys()]) if (/^(encoder|quant_conv)/.test(name)) c.delete(name);
      }),
    ).toContain('The weights have no encoder. Set decoderOnly to true in the configuration.');
  });
});

describe('exportVqgan', () => {
  test('gives the tensors back that were taken, and takes what it gave', async () => {
    const { config, checkpoint } = await vqganJax();
    const original = (await vqganJax()).checkpoint;
    const weights = importVqgan(checkpoint, config);
    for (let i = 0; i < 2; i++) {
      const again = exportVqgan(weights, config);
      expect(again.size).toBe(original.size);
      for (const [name, { dtype, shape, bytes }] of original) {
        expect(again.get(name), name).toMatchObject({ dtype, shape });
        expect(Buffer.compare(again.get(name)!.bytes, bytes), name).toBe(0);
      }
    }
  });

  test('converts a model of Taming’s as its published script does', async () => {
    const { config, checkpoint } = await release('taming');
    const converted = (await flaxRelease()).checkpoint;
    const again = exportVqgan(importVqgan(checkpoint, config), config);
    expect([...again.keys()].sort()).toEqual([...converted.keys()].sort());
    for (const [name, tensor] of converted) {
      expect(again.get(name)!.shape, name).toEqual(tensor.shape);
      expect(toFloat32(again.get(name)!), name).toEqual(toFloat32(tensor));
    }
  });

  test('names a tensor that is missing or of another shape', async () => {
    const { config, checkpoint } = await vqganJax();
    const weights = importVqgan(checkpoint, config);
    weights.set('post_quant_conv.bias', fromFloat32(new Float32Array(3), [3]));
    expect(() => exportVqgan(weights, config)).toThrow('post_quant_conv.bias must have shape [8], not [3]');
    weights.delete('post_quant_conv.bias');
    expect(() => exportVqgan(weights, config)).toThrow('post_quant_conv.bias is missing');
  });
});

describe('exportVqganConfig', () => {
  test('is what the configuration was read from', async () => {
    const published = JSON.parse(await readText('vqgan-jax/config.json'));
    const { architectures, transformers_version, num_resolutions, ...fields } = published;
    const json = exportVqganConfig(importVqganConfig(published));
    expect(json).toMatchObject(fields);
    expect(importVqganConfig(json)).toEqual(importVqganConfig(published));
  });

  test('keeps the range of pixels', () => {
    const { normGroups, ...config } = { ...tiny, ch: 32 };
    expect(importVqganConfig(exportVqganConfig(config))).toEqual({ ...config, pixelRange: [-1, 1] });
  });

  test.each<[Partial<VqganConfig>, string]>([
    [{ quantizer: 'gumbel' }, 'quantizer must be "nearest" to be exported for vqgan-jax, not "gumbel".'],
    [{ normGroups: 4 }, 'normGroups must be 32 to be exported for vqgan-jax, not 4.'],
    [{ decoderOnly: true }, 'decoderOnly must be false to be exported for vqgan-jax, not true.'],
    [{ decoderChMult: [1, 1, 2] }, 'decoderChMult must be [1,2] to be exported for vqgan-jax, not [1,1,2].'],
  ])('refuses %j', (change, message) => {
    const config = { ...tiny, ch: 32, normGroups: 32, ...change };
    for (const call of [() => exportVqganConfig(config), () => exportVqgan(new Map(), config)]) {
      expect(call).toThrow(ConfigError);
      expect(call).toThrow(`VQ-GAN config: ${message}`);
    }
  });
});

describe('a decoder without its encoder', () => {
  /** The layout of `detoker.pt`: the decoder's half of another release, with the codebook under min-dalle's name. */
  async function detoker() {
    const { config, checkpoint } = await release('taming');
    for (const name of [...checkpoint.keys()]) {
      if (!/^(decoder|post_quant_conv|quantize)\./.test(name)) checkpoint.delete(name);
    }
    checkpoint.set('embedding.weight', checkpoint.get('quantize.embedding.weight')!);
    checkpoint.delete('quantize.embedding.weight');
    return { config: { ...config, decoderOnly: true }, checkpoint };
  }

  test('decodes as the whole model, which may also be cut down to it', async () => {
    const { config, checkpoint } = await detoker();
    const expected = await readTensors('taming/expected.safetensors');
    const whole = (await release('taming')).checkpoint;
    for (const part of [checkpoint, whole]) {
      const images = await decode(config, valuesOf(importVqgan(part, config)), expected);
      expect(relativeError(images, toFloat32(expected.get('reconstruction')!))).toBeLessThan(1e-4);
    }
  });

  test('refuses to encode', async () => {
    const { config, checkpoint } = await detoker();
    const tokenizer = new VqganTokenizer(config, valuesOf(importVqgan(checkpoint, config)), { runtime });
    await expect(tokenizer.encode(randomImages(1, config.resolution, 1))).rejects.toThrow(
      'VQ-GAN config: decoderOnly must be false to encode.',
    );
  });
});

test('a model with the Gumbel quantizer is refused where it would be trained', () => {
  const config = { ...tiny, quantizer: 'gumbel' } as const;
  const images = input('images', [1, 3, 16, 16]);
  expect(() => reconstruct(new ParameterScope(), images, config)).toThrow(
    'VQ-GAN config: quantizer must be "nearest" to train',
  );
});

test('bytes 0 and 255 are the ends of the pixel range, in both directions', async () => {
  const { config, checkpoint } = await release('taming');
  const parameters = valuesOf(importVqgan(checkpoint, config));
  const unit = { ...config, pixelRange: [0, 1] } as const;
  const signed = new VqganTokenizer(config, parameters, { runtime });
  const unsigned = new VqganTokenizer(unit, parameters, { runtime });
  const [image] = randomImages(1, config.resolution, 2);
  // b / 255 is (b + 255) / 2 / 127.5 − 1, which is a byte where b is odd.
  const odd = { ...image!, data: image!.data.map((byte) => byte | 1) };
  const brighter = { ...odd, data: odd.data.map((byte) => (byte + 255) / 2) };
  const grids = await unsigned.encode([odd]);
  expect(grids).toEqual(await signed.encode([brighter]));
  const [low] = await unsigned.decode(grids);
  const [high] = await signed.decode(grids);
  for (const [i, byte] of low!.data.entries()) {
    // v · 255 and (v + 1) · 127.5, rounded and clipped.
    expect(Math.abs(Math.max(0, 2 * high!.data[i]! - 255) - byte)).toBeLessThanOrEqual(1);
  }
});

describe('openVqganTokenizer, of released files', () => {
  async function folderOf(files: Record<string, string>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'vqgan-release-'));
    for (const [to, from] of Object.entries(files)) {
      await mkdir(dirname(join(folder, to)), { recursive: true });
      await copyFile(join(fixtures, from), join(folder, to));
    }
    return folder;
  }
  const failure = (...args: Parameters<typeof openVqganTokenizer>): Promise<Error> =>
    openVqganTokenizer(...args).then(
      () => expect.fail('it opened'),
      (error: Error) => error,
    );

  test("finds the files in Taming's folders, and takes a pair of them", async () => {
    const folder = await folderOf({
      'configs/model.yaml': 'taming/model.yaml',
      'checkpoints/last.ckpt': 'taming/last.ckpt',
    });
    const config = importVqganConfig(parse(await readText('taming/model.yaml')));
    const images = randomImages(1, 8, 3);
    const opened = await openVqganTokenizer(folder, { runtime });
    const grids = await opened.encode(images);
    const weights = join(folder, 'checkpoints/last.ckpt');
    for (const given of [config, join(folder, 'configs/model.yaml')]) {
      const pair = await openVqganTokenizer({ config: given, weights }, { runtime });
      expect(await pair.encode(images)).toEqual(grids);
    }
    await rm(folder, { recursive: true });
  });

  test('opens config.json and flax_model.msgpack, whose pixels are in [0, 1]', async () => {
    const { json, config, checkpoint } = await flaxRelease();
    const folder = await folderOf({});
    await writeFile(join(folder, 'config.json'), JSON.stringify(json));
    await writeFile(join(folder, 'flax_model.msgpack'), writeFlaxMsgpack(checkpoint));
    const images = randomImages(1, 8, 3);
    const opened = await openVqganTokenizer(folder, { runtime });
    const made = new VqganTokenizer(config, valuesOf(importVqgan(checkpoint, config)), { runtime });
    expect(config.pixelRange).toEqual([0, 1]);
    expect(await opened.encode(images)).toEqual(await made.encode(images));
    await rm(folder, { recursive: true });
  });

  test('names the file, and the tensor or the field', async () => {
    const folder = await folderOf({ 'model.yaml': 'gumbel/model.yaml', 'last.ckpt': 'taming/last.ckpt' });
    const other = await failure(folder, { runtime });
    expect(other).toBeInstanceOf(CheckpointError);
    expect(other.message).toMatch(
      /last\.ckpt: The weights must be .*quantize\.embedding\.weight is not a tensor of this model/,
    );
    await writeFile(join(folder, 'model.yaml'), 'model: [');
    expect((await failure(folder, { runtime })).message).toContain(`${join(folder, 'model.yaml')}: `);
    await writeFile(join(folder, 'model.yaml'), 'model:\n  target: other.Model\n');
    expect((await failure(folder, { runtime })).message).toContain(
      'model.target must be one of taming.models.vqgan.VQModel',
    );
    await rm(folder, { recursive: true });
  });

  test('reads detoker.pt without a configuration, as of the published sizes', async () => {
    const folder = await folderOf({ 'detoker.pt': 'taming/last.ckpt' });
    expect((await failure(folder, { runtime })).message).toMatch(
      /detoker\.pt: The weights must be .*quantize\.embedding\.weight must have shape \[16384, 256\], not \[24, 6\]/,
    );
    await rm(folder, { recursive: true });
  });

  test('names config.json and the weights where a folder has none', async () => {
    const folder = await folderOf({ 'model.yaml': 'taming/model.yaml' });
    expect((await failure(folder, { runtime })).message).toContain(`Cannot read ${join(folder, 'model.safetensors')}`);
    await rm(folder, { recursive: true });
  });
});

describe("LlamaGen's tokenizer", () => {
  const file = new URL('../../testing/fixtures/llama-gen-tokenizer.pt', import.meta.url);

  test('has the configuration that the shapes of its weights show', async () => {
    const { tensors } = readCheckpoint(await readFile(file));
    const config = importLlamaGenTokenizerConfig(tensors, 4);
    expect(config).toMatchObject({ resolution: 4 * 2 ** (config.chMult.length - 1), attnResolutions: [4] });
    expect(config.normalizeCodes).toBe(true);
    expect([...importVqgan(new Map(tensors), config).keys()].sort()).toEqual(
      [...vqganParameters(config).keys()].sort(),
    );
    tensors.delete('quantize.embedding.weight');
    const damaged = () => importLlamaGenTokenizerConfig(tensors, 4, 'vq_ds16.pt');
    expect(damaged).toThrow(CheckpointError);
    expect(damaged).toThrow('vq_ds16.pt must have the tensor quantize.embedding.weight');
  });
});
