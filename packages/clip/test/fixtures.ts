import { readFileSync } from 'node:fs';
import { importClipConfig } from '@dalle-mini/clip';
import type { RgbImage } from '@dalle-mini/core';
import { type Checkpoint, readSafetensors } from '@dalle-mini/weights';

export const fixtureFile = (path: string) => new URL(`fixtures/${path}`, import.meta.url);

const text = (path: string) => readFileSync(fixtureFile(path), 'utf8');
const json = (path: string) => JSON.parse(text(path));
const tensors = (path: string): Checkpoint => readSafetensors(readFileSync(fixtureFile(path))).tensors;

/** A CLIP of random weights as Hugging Face saves it, and what transformers computes: see scripts/reference/clip.py. */
export function tinyClip(name: 'patch-16' | 'patch-8') {
  const file: Record<string, unknown> = json(`${name}/config.json`);
  return {
    file,
    config: importClipConfig(file),
    weights: tensors(`${name}/model.safetensors`),
    outputs: tensors(`${name}/outputs.safetensors`),
  };
}

/** The weights of patch-16 in OpenAI's layout. */
export const openaiWeights = () => tensors('patch-16/openai.safetensors');

export const tokenizerFiles = {
  tokenizer: json('tokenizer/tokenizer.json') as Record<string, unknown>,
  vocabulary: json('tokenizer/vocab.json') as Record<string, number>,
  merges: text('tokenizer/merges.txt'),
};

/** Captions and the ids that CLIPTokenizer gives them, cut to 77. */
export const captions = json('tokenizer/captions.json') as { readonly caption: string; readonly ids: number[] }[];

/** Pictures, and what Pillow and CLIPImageProcessor make of them at 32 × 32 pixels. */
export const images = tensors('images.safetensors');

const toImage = (name: string): RgbImage => {
  const { shape, bytes } = images.get(name)!;
  return { width: shape[1]!, height: shape[0]!, data: bytes };
};

export const pictures = Array.from({ length: 10 }, (_, i) => ({
  input: toImage(`${i}.input`),
  output: toImage(`${i}.output`),
}));

/** The largest difference, relative to the largest value. */
export function relativeError(actual: ArrayLike<number>, expected: Float32Array): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values, not ${expected.length}`);
  const peak = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0) / peak;
}
