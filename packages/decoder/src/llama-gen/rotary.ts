/** Rotary positions in two dimensions (Su et al. 2021), as LlamaGen's `precompute_freqs_cis_2d`. */
import { add, constant, gather, matmul, mul, type Tensor } from '@dalle-mini/graph';

/** Cosines and sines for elements of a sequence, `[length, size]` each. */
export interface Rotation {
  readonly cosines: Tensor;
  readonly sines: Tensor;
}

/** The sizes on which rotations depend. */
export interface RotarySizes {
  readonly gridSize: number;
  /** Number of elements before the image. */
  readonly captionLength: number;
  /** Width of a head. */
  readonly size: number;
  readonly base: number;
}

/**
 * Computes the rotations of elements at the places int32 `[length]` of a sequence. The first half of a head's channels
 * turns by the row of an image token, the second by its column, each adjacent pair of channels by the same angle.
 *
 * As published, cosines and sines of the caption are 0: its queries and keys become zeros, so that attention to the
 * caption goes to all of its elements alike.
 */
export function rotationsAt(places: Tensor, { gridSize, captionLength, size, base }: RotarySizes): Rotation {
  const shape = [captionLength + gridSize ** 2, size];
  const tables = { cosines: new Float32Array(shape[0]! * size), sines: new Float32Array(shape[0]! * size) };
  const half = size / 2;
  for (let place = captionLength; place < shape[0]!; place++) {
    const index = place - captionLength;
    const [row, column] = [Math.floor(index / gridSize), index % gridSize];
    for (let channel = 0; channel < size; channel++) {
      const pair = 2 * Math.floor((channel % half) / 2);
      // In float32, as published.
      const frequency = Math.fround(1 / Math.fround(base ** (pair / half)));
      const angle = Math.fround((channel < half ? row : column) * frequency);
      tables.cosines[place * size + channel] = Math.cos(angle);
      tables.sines[place * size + channel] = Math.sin(angle);
    }
  }
  const at = (data: Float32Array) => gather(constant({ dtype: 'float32', shape, data }), places);
  return { cosines: at(tables.cosines), sines: at(tables.sines) };
}

/** Rotates pairs of channels of `[batch, heads, length, size]`: (a, b) to (a cos − b sin, b cos + a sin). */
export function rotate(x: Tensor, { cosines, sines }: Rotation): Tensor {
  const size = x.shape.at(-1)!;
  // A matrix that turns (a, b) into (−b, a): one product instead of slices that are put together again.
  const data = new Float32Array(size * size);
  for (let a = 0; a < size; a += 2) {
    data[(a + 1) * size + a] = -1;
    data[a * size + a + 1] = 1;
  }
  const turned = matmul(x, constant({ dtype: 'float32', shape: [size, size], data }));
  return add(mul(x, cosines), mul(turned, sines));
}
