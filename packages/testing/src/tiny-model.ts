import { join } from 'node:path';
import { type DecoderConfig, decoderParameters } from '@dalle-mini/decoder';
import type { Tensor, TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { type ModelParts, writeModelFolder } from '@dalle-mini/pipeline';
import { vqganParameters } from '@dalle-mini/vqgan';
import { tinyBert } from './tiny-bert.js';
import { tinyDecoder } from './tiny-decoder.js';
import { tinyVqgan } from './tiny-vqgan.js';

const decoder: DecoderConfig = { ...tinyDecoder, vocabularySize: 32, gridSize: 8 };

/** Number of tokens that the tiny model reads. */
export const tinyMaxLength = 10;

/** A whole model that draws noise: a VQ-GAN of 16 pixels, a decoder and a BERT of a few thousand weights, all random. */
export function tinyModel(): ModelParts {
  const textEncoder = tinyBert(['a', 'red', 'apple', '##s'], decoder.textWidth, (parameters) => values(parameters, 3));
  return {
    name: 'tiny',
    license: 'CC0-1.0',
    imageTokenizer: { config: tinyVqgan, parameters: values(vqganParameters(tinyVqgan), 1) },
    textEncoder: { files: textEncoder.files, maxLength: tinyMaxLength },
    decoder: { config: decoder, parameters: values(decoderParameters(decoder), 2) },
    sampling: { temperature: 1, topK: 24, guidanceScale: 2 },
  };
}

/** Larger values than training starts from, so that every input makes a difference that can be seen. */
function values(parameters: ReadonlyMap<string, Tensor>, seed: number): Map<string, TensorData> {
  const initial = initializeParameters(parameters, seed);
  for (const { data, shape } of initial.values()) {
    if (shape.length > 1 && Math.max(...data) < 0.2) for (let i = 0; i < data.length; i++) data[i]! *= 10;
  }
  return initial;
}

/** Writes the tiny model to `<folder>/tiny` and returns that path. */
export async function writeTinyModel(folder: string): Promise<string> {
  const path = join(folder, 'tiny');
  await writeModelFolder(path, tinyModel());
  return path;
}
