import { cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { readParameter } from '@dalle-mini/graph/node';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { dequantize, quantize, type StoredParameter } from '@dalle-mini/graph/stored';
import { loadTfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import {
  fromPretrained,
  type ModelParts,
  openDecoderPart,
  readDecoder,
  readModelFolder,
  readTextEncoder,
  readVqgan,
  writeModelFolder,
  writeVqgan,
} from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { tinyMaxLength, tinyModel, writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';
import type { Checkpoint } from '@dalle-mini/weights';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openTextEncoder } from '../../src/model-folder/text-encoder.js';

let folder: string;
let whole: string;
let copy: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  whole = await writeTinyModel(folder);
  copy = join(folder, 'copy');
});

const inCopy = (...path: string[]) => join(copy, ...path);
const changeWeights = async (path: string, change: (tensors: Checkpoint) => void) => {
  const { tensors } = await readCheckpointFile(path);
  change(tensors);
  await writeCheckpointFile(path, tensors);
};

describe('weights of 8 bits', () => {
  const runtime = new OnnxRuntime({ threads: 1 });
  afterAll(() => runtime.dispose());
  beforeEach(async () => {
    await rm(copy, { recursive: true, force: true });
    await cp(whole, copy, { recursive: true });
  });

  /** The parts of a stored parameter that are in files. */
  const regionsOf = (value: StoredParameter) =>
    Object.values({ ...value }).filter((part) => part instanceof Object && 'file' in part);
  const quantizeAll = (tensors: Checkpoint) => {
    // An outlier of its row, sixty times larger than the other values.
    for (const { shape, bytes } of tensors.values())
      if (shape.length === 2) new Float32Array(bytes.buffer, bytes.byteOffset, 8)[5]! *= 60;
    for (const [name, tensor] of quantize(tensors)) tensors.set(name, tensor);
  };

  test('of a text encoder stay in their file, with exactly the results of dequantized weights', async () => {
    const path = inCopy('text-encoder');
    await changeWeights(join(path, 'model.safetensors'), quantizeAll);
    const given: StoredParameter[] = [];
    const observed: Runtime = {
      name: runtime.name,
      compile: (graph, options) => {
        given.push(...options!.parameters!.values());
        return runtime.compile(graph, options);
      },
      dispose: async () => {},
    };
    const description = { type: 'bert', folder: 'text-encoder', maxLength: tinyMaxLength } as const;
    const opened = await openTextEncoder(path, description, { runtime: observed });
    expect(given.filter((value) => value.kind === 'rows' && value.outliers)).not.toHaveLength(0);
    for (const value of given) expect(regionsOf(value)).not.toHaveLength(0);

    const files = await readTextEncoder(path);
    const read = await loadTextEncoder(files, { runtime, maxLength: tinyMaxLength });
    expect(await opened.encode(['a red apple'])).toEqual(await read.encode(['a red apple']));
  });

  test('of a decoder stay in their file, and are read exactly as dequantized', async () => {
    const weights = inCopy('decoder', 'model.safetensors');
    await changeWeights(weights, quantizeAll);
    const expected = dequantize((await readCheckpointFile(weights)).tensors);
    const { parameters } = await openDecoderPart(inCopy('decoder'));
    expect([...parameters.values()].filter((value) => value.kind === 'rows' && value.outliers)).not.toHaveLength(0);
    for (const [name, value] of parameters) {
      expect(regionsOf(value)).not.toHaveLength(0);
      expect(await readParameter(value)).toEqual(expected.get(name));
    }
    expect((await readDecoder(inCopy('decoder'))).parameters).toEqual(
      new Map([...parameters.keys()].map((name) => [name, expected.get(name)])),
    );
  });

  test('are refused without their scales', async () => {
    await changeWeights(inCopy('decoder', 'model.safetensors'), (tensors) => {
      quantizeAll(tensors);
      for (const name of tensors.keys()) if (name.endsWith('.scale')) tensors.delete(name);
    });
    await expect(openDecoderPart(inCopy('decoder'))).rejects.toThrow(/model\.safetensors: .*\.scale.* are missing/);
  });
});

describe('writeModelFolder', () => {
  const target = () => join(folder, 'written');
  const data = (parts: ModelParts) =>
    [...parts.imageTokenizer.parameters, ...parts.decoder.parameters].map(
      ([name, value]) => [name, [...value.data]] as const,
    );

  test('writes a folder that readModelFolder reads exactly in fp32', async () => {
    const parts = tinyModel();
    await writeModelFolder(target(), parts);
    const read = await readModelFolder(target());
    expect(new Map(data(read))).toEqual(new Map(data(parts)));
    for (const field of ['name', 'license', 'sampling'] as const) expect(read[field]).toEqual(parts[field]);
    expect(read.decoder.config).toEqual(parts.decoder.config);
    expect(read.imageTokenizer.config).toEqual(parts.imageTokenizer.config);
    expect(read.textEncoder).toEqual(parts.textEncoder);
  });

  test.each([
    // Half a unit in the last of 11 bits; one of the 256, or 16, steps of a block.
    ['fp16', 2 ** -11],
    ['q8', 1 / 128],
    ['q4', 1 / 8],
  ] as const)('stores weights as %s in less space, close to their values', async (dtype, tolerance) => {
    const parts = tinyModel();
    await writeModelFolder(target(), parts, { dtype });
    const read = new Map(data(await readModelFolder(target())));
    for (const [name, values] of data(parts)) {
      const largest = Math.max(...values.map(Math.abs));
      for (const [i, value] of read.get(name)!.entries()) {
        expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(tolerance * largest * 1.001);
      }
    }
    const size = async (path: string) => (await stat(join(path, 'decoder', 'model.safetensors'))).size;
    expect(await size(target())).toBeLessThan(0.8 * (await size(whole)));
    const model = await fromPretrained(target(), { threads: 1 });
    expect(await model.generate('a red apple')).toHaveLength(1);
    await model.dispose();
  });

  test('stores 8-bit matrices by columns, except the last of a layer, and refuses columns of another shape', async () => {
    await writeModelFolder(target(), tinyModel(), { dtype: 'q8' });
    const { parameters } = await openDecoderPart(join(target(), 'decoder'));
    const named = (part: string) => [...parameters.keys()].filter((name) => part in parameters.get(name)!);
    expect(named('columns')).toContain('layers.0.self_attn.q_proj.weight');
    expect(named('columns')).toContain('layers.0.encoder_attn.k_proj.weight');
    expect(named('blocks')).toEqual(expect.arrayContaining(['layers.0.glu.fc2.weight']));
    expect(named('blocks').filter((name) => !name.endsWith('.fc2.weight'))).toEqual([]);

    const weights = join(target(), 'decoder', 'model.safetensors');
    await changeWeights(weights, (tensors) => {
      const name = 'layers.0.self_attn.q_proj.weight.columns';
      const tensor = tensors.get(name)!;
      tensors.set(name, { ...tensor, shape: [tensor.shape[0]! * 2, tensor.shape[1]! / 2] });
    });
    await expect(openDecoderPart(join(target(), 'decoder'))).rejects.toThrow(
      /q_proj\.weight\.columns must have shape \[16, 16\], not \[32, 8\]/,
    );
  });

  test('stores fp16 weights that stay in their file, and generate the same image as in memory with every runtime', async () => {
    await writeModelFolder(target(), tinyModel(), { dtype: 'fp16' });
    const { parameters } = await openDecoderPart(join(target(), 'decoder'));
    for (const value of parameters.values())
      expect(value).toMatchObject({ kind: 'fp16', halves: { file: 'model.safetensors' } });

    const widened = join(folder, 'widened');
    await writeModelFolder(widened, await readModelFolder(target()));
    const generate = async (path: string, runtime?: Runtime) => {
      const model = await fromPretrained(path, runtime ? { runtime } : { threads: 1 });
      const [generated] = await model.generate('a red apple', { seed: 1 });
      await model.dispose();
      return generated!.image.data;
    };
    const expected = await generate(widened);
    expect(await generate(target())).toEqual(expected);
    const tfjs = new TfjsRuntime(await loadTfjs());
    // The order of sums differs between runtimes, which may change a channel by 1.
    for (const [i, value] of (await generate(target(), tfjs)).entries())
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(1);
    await tfjs.dispose();
  });

  test('replaces a model, and leaves no temporary files', async () => {
    await writeModelFolder(target(), { ...tinyModel(), name: 'first' });
    await writeModelFolder(target(), { ...tinyModel(), name: 'second' });
    expect((await readModelFolder(target())).name).toBe('second');
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('does not replace a folder with other files', async () => {
    const other = join(folder, 'other');
    await mkdir(other);
    await writeFile(join(other, 'thesis.txt'), 'precious');
    await expect(writeModelFolder(other, tinyModel())).rejects.toThrow(
      /must have only the files of a model, not thesis\.txt/,
    );
    expect(await readdir(other)).toEqual(['thesis.txt']);
  });

  test('refuses parts that do not match, and writes nothing', async () => {
    const parts = tinyModel();
    const absent = join(folder, 'absent');
    const larger = { ...parts, decoder: { ...parts.decoder, config: { ...parts.decoder.config, gridSize: 16 } } };
    await expect(writeModelFolder(absent, larger)).rejects.toThrow(
      /must generate 8×8 grids of 32 tokens, like the VQ-GAN, not 16×16/,
    );
    const incomplete = { ...parts, decoder: { ...parts.decoder, parameters: new Map() } };
    await expect(writeModelFolder(absent, incomplete)).rejects.toThrow(/^The decoder: .* are missing/);
    await expect(stat(absent)).rejects.toThrow('ENOENT');
  });

  test('leaves no half-written folder after an error', async () => {
    await expect(writeModelFolder('/dev/null/model', tinyModel())).rejects.toThrow(/^Cannot write \/dev\/null/);
    // NaN, which 8 bits cannot store, fails half-way like a full disk.
    const parts = tinyModel();
    const name = 'lm_head.weight';
    const { shape, data } = parts.decoder.parameters.get(name)!;
    const broken = { dtype: 'float32', shape, data: new Float32Array(data.length).fill(Number.NaN) } as const;
    const parameters = new Map(parts.decoder.parameters).set(name, broken);
    const target = join(folder, 'half');
    const writing = writeModelFolder(target, { ...parts, decoder: { ...parts.decoder, parameters } }, { dtype: 'q8' });
    await expect(writing).rejects.toThrow('NaN');
    expect((await readdir(folder)).filter((name) => name.includes('half'))).toEqual([]);
  });
});

describe('writeVqgan', () => {
  test.each<[string, Partial<VqganConfig>]>([
    ['a VQ-GAN', { pixelRange: [0, 1] }],
    ['one with the Gumbel quantizer', { quantizer: 'gumbel', embedDim: 8 }],
    ['a decoder only', { decoderOnly: true }],
  ])('writes %s for readVqgan', async (_, options) => {
    const config = { ...tinyModel().imageTokenizer.config, ...options };
    const parameters = initializeParameters(vqganParameters(config), 1);
    const target = join(folder, 'vqgan');
    await writeVqgan(target, { config, parameters });
    expect(await readVqgan(target)).toEqual({ config, parameters });
  });
});
