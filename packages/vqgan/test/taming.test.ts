import { readFile } from 'node:fs/promises';
import { add, type Graph, input, mul, ParameterScope, reshape, type TensorData } from '@dalle-mini/graph';
import { meanSquaredError } from '@dalle-mini/graph/layers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import { decodeTokens, encodeImages, reconstruct, type VqganConfig } from '@dalle-mini/vqgan';
import { type Checkpoint, readSafetensors, toFloat32, toInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeToVectors } from '../src/vqgan.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

async function fixture(name: string): Promise<{ config: VqganConfig; tensors: Checkpoint }> {
  const file = (extension: string) => new URL(`fixtures/${name}.${extension}`, import.meta.url);
  const { ddconfig, n_embed, embed_dim } = JSON.parse(await readFile(file('json'), 'utf8'));
  const config = {
    resolution: ddconfig.resolution,
    inChannels: ddconfig.in_channels,
    ch: ddconfig.ch,
    chMult: ddconfig.ch_mult,
    numResBlocks: ddconfig.num_res_blocks,
    attnResolutions: ddconfig.attn_resolutions,
    zChannels: ddconfig.z_channels,
    embedDim: embed_dim,
    nEmbed: n_embed,
  };
  return { config, tensors: readSafetensors(await readFile(file('safetensors'))).tensors };
}

function valuesOf(scope: ParameterScope, tensors: Checkpoint): Map<string, TensorData> {
  return new Map(
    [...scope.parameters].map(([name, { shape }]) => [
      name,
      { dtype: 'float32', shape, data: toFloat32(tensors.get(name)!) },
    ]),
  );
}

async function run(graph: Graph, parameters: Map<string, TensorData>, inputs: Record<string, TensorData>) {
  const executable = await runtime.compile(graph, { parameters });
  return executable.run(inputs);
}

/** The largest difference, relative to the largest value: what «1e-4 relative» means for a tensor. */
function relativeError(actual: TensorData, expected: Float32Array): number {
  expect(actual.data.length).toBe(expected.length);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual.data[i]!)), 0) / scale;
}

describe.each(['taming-a', 'taming-b'])('the VQ-GAN of Taming Transformers, fixture %s', (name) => {
  test('encodes to the same vectors and exactly the same tokens', async () => {
    const { config, tensors } = await fixture(name);
    const scope = new ParameterScope();
    const images = input('images', tensors.get('input')!.shape);
    const outputs = { vectors: encodeToVectors(scope, images, config), tokens: encodeImages(scope, images, config) };
    const given = { dtype: 'float32', shape: images.shape, data: toFloat32(tensors.get('input')!) } as const;
    const result = await run({ inputs: { images }, outputs }, valuesOf(scope, tensors), { images: given });
    expect(relativeError(result.vectors!, toFloat32(tensors.get('z')!))).toBeLessThan(1e-4);
    expect([...result.tokens!.data]).toEqual([...toInt32(tensors.get('tokens')!)]);
  });

  test('decodes tokens to the same pixels', async () => {
    const { config, tensors } = await fixture(name);
    const scope = new ParameterScope();
    const stored = tensors.get('tokens')!;
    const tokens = input('tokens', stored.shape, 'int32');
    const graph = { inputs: { tokens }, outputs: { images: decodeTokens(scope, tokens, config) } };
    const given = { dtype: 'int32', shape: stored.shape, data: toInt32(stored) } as const;
    const result = await run(graph, valuesOf(scope, tensors), { tokens: given });
    expect(relativeError(result.images!, toFloat32(tensors.get('reconstruction')!))).toBeLessThan(1e-4);
  });

  test.each(['gradient', 'gradient_legacy'])('has the same losses and, for %s, the same gradients', async (kind) => {
    const { config, tensors } = await fixture(name);
    const scope = new ParameterScope();
    const images = input('images', tensors.get('input')!.shape);
    const { images: decoded, codebookLoss, commitmentLoss } = reconstruct(scope, images, config);
    const [codebookWeight, commitmentWeight] = kind === 'gradient' ? [1, 0.25] : [0.25, 1];
    const quantization = add(mul(codebookLoss, codebookWeight), mul(commitmentLoss, commitmentWeight));
    const names = [...tensors.keys()]
      .filter((key) => key.startsWith(`${kind}.`))
      .map((key) => key.slice(kind.length + 1));
    expect(names.length).toBeGreaterThan(3);
    const gradients = grad(
      add(meanSquaredError(decoded, images), quantization),
      names.map((key) => scope.parameters.get(key)!),
    );
    const outputs = Object.fromEntries(names.map((key, i) => [key, gradients[i]!]));
    const given = { dtype: 'float32', shape: images.shape, data: toFloat32(tensors.get('input')!) } as const;
    const graph = { inputs: { images }, outputs: { ...outputs, quantization: reshape(quantization, [1]) } };
    const result = await run(graph, valuesOf(scope, tensors), { images: given });
    expect(relativeError(result.quantization!, toFloat32(tensors.get('quantization_loss')!))).toBeLessThan(1e-4);
    for (const key of names) {
      expect(relativeError(result[key]!, toFloat32(tensors.get(`${kind}.${key}`)!)), key).toBeLessThan(1e-4);
    }
  });
});
