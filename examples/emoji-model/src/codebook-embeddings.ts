import { createRandom } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';

/** Standard deviation of the decoder's first embeddings. */
const deviation = 0.02;

/**
 * Returns initial values for the decoder's token embeddings and head, `[codes + 1, width]` each: a random projection of the VQ-GAN's
 * codes. Similar codes start with similar embeddings, so that training one also helps the other. The begin token, which has no code,
 * is random.
 *
 * @param codebook The codes, `[codes, embedDim]`.
 */
export function codebookEmbeddings(codebook: TensorData, width: number, seed: number): Map<string, TensorData> {
  const [codes, embedDim] = codebook.shape as [number, number];
  const standardized = standardize(codebook.data as Float32Array, embedDim);
  const project = (stream: number): TensorData => {
    const random = createRandom('codebook-embeddings', seed, stream);
    const projection = Float32Array.from({ length: embedDim * width }, () => random.normal() / Math.sqrt(embedDim));
    const data = new Float32Array((codes + 1) * width);
    for (let code = 0; code < codes; code++) {
      for (let i = 0; i < width; i++) {
        let sum = 0;
        for (let j = 0; j < embedDim; j++) sum += standardized[code * embedDim + j]! * projection[j * width + i]!;
        data[code * width + i] = deviation * sum;
      }
    }
    for (let i = codes * width; i < data.length; i++) data[i] = deviation * random.normal();
    return { dtype: 'float32', shape: [codes + 1, width], data };
  };
  return new Map([
    ['embed_tokens.weight', project(1)],
    ['lm_head.weight', project(2)],
  ]);
}

/** Standardizes each column of a matrix to mean 0 and variance 1. */
function standardize(values: Float32Array, columns: number): Float32Array {
  const rows = values.length / columns;
  const result = new Float32Array(values.length);
  for (let column = 0; column < columns; column++) {
    const of = (row: number) => values[row * columns + column]!;
    let mean = 0;
    for (let row = 0; row < rows; row++) mean += of(row) / rows;
    let variance = 0;
    for (let row = 0; row < rows; row++) variance += (of(row) - mean) ** 2 / rows;
    for (let row = 0; row < rows; row++) result[row * columns + column] = (of(row) - mean) / Math.sqrt(variance);
  }
  return result;
}
