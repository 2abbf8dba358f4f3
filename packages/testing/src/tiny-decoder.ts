import { createRandom, type TextEncoding } from '@dalle-mini/core';
import {
  type AnyDecoderConfig,
  type DecoderConfig,
  decoderParameters,
  type MaskedDecoderConfig,
} from '@dalle-mini/decoder';
import { sizeOf, type TensorData } from '@dalle-mini/graph';

export const tinyDecoder: DecoderConfig = {
  vocabularySize: 24,
  gridSize: 4,
  width: 16,
  layers: 2,
  heads: 4,
  feedForwardWidth: 20,
  textWidth: 12,
};

export const tinyMaskedDecoder: MaskedDecoderConfig = { ...tinyDecoder, kind: 'masked' };

/** Random values under which activations stay near 1, and logits differ by a few units. */
export function randomParameters(config: AnyDecoderConfig, seed: number): Map<string, TensorData> {
  const random = createRandom(seed);
  const parameters = new Map<string, TensorData>();
  for (const [name, { shape }] of decoderParameters(config)) {
    const isScale = name.endsWith('head_scale') || (name.endsWith('weight') && shape.length === 1);
    const fanIn = shape.at(-1)!;
    const spread = /^(embed|tok_emb|pos_emb)|embedding/.test(name)
      ? 1
      : shape.length === 1
        ? 0.3
        : 1 / Math.sqrt(fanIn);
    const draw = () => (isScale ? 1 : 0) + (/^(lm_head|head|output)/.test(name) ? 2 : 1) * spread * random.normal();
    parameters.set(name, { dtype: 'float32', shape, data: Float32Array.from({ length: sizeOf(shape) }, draw) });
  }
  return parameters;
}

/** Captions of random hidden states, padded after 3, 4, 5, 3, … tokens. */
export function randomText(batch: number, seed: number, { length = 5, width = 12 } = {}): TextEncoding {
  const random = createRandom(seed);
  const hiddenStates = Float32Array.from({ length: batch * length * width }, () => random.normal());
  const attentionMask = Int32Array.from({ length: batch * length }, (_, i) =>
    i % length < 3 + (Math.floor(i / length) % 3) ? 1 : 0,
  );
  return { batch, length, width, hiddenStates, attentionMask };
}

/** Captions `indices` of a batch. */
export function pick(text: TextEncoding, indices: readonly number[]): TextEncoding {
  const { length, width } = text;
  const rows = <A extends Float32Array | Int32Array>(data: A, size: number) =>
    indices.flatMap((i) => [...data.subarray(i * size, (i + 1) * size)]);
  return {
    batch: indices.length,
    length,
    width,
    hiddenStates: Float32Array.from(rows(text.hiddenStates, length * width)),
    attentionMask: Int32Array.from(rows(text.attentionMask, length)),
  };
}
