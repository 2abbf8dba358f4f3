import { dataTypes } from '../onnx/proto.js';
import type { Shape } from '../tensor.js';
import type { StoredKind } from './kind.js';
import type { Part } from './part.js';

/** A tensor in half precision (IEEE 754 binary16), which a runtime widens before it computes. */
export interface Fp16 {
  readonly kind: 'fp16';
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** The bits of each number. */
  readonly halves: Part<Uint16Array>;
}

export const fp16: StoredKind<Fp16> = {
  layout: ({ shape }) => ({ halves: { suffix: '', dtype: 'F16', shape } }),
  decode: ({ halves }) => widen(halves),
  emit(emitter, name, { shape, halves }) {
    emitter.initializer(name, 'float16', shape, halves);
    // ONNX Runtime computes what follows from initializers alone when it opens the model.
    return emitter.node('Cast', [name], { to: dataTypes.float32 });
  },
};

/** The values of float16 numbers, from their bits. */
function widen(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const isSpecial = (half & 0x7c00) === 0x7c00;
    // The fields at their places in a float32, whose exponent has a bias of 127 and not of 15; of NaN and infinity it is all ones.
    bits[i] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13) | (isSpecial ? 0x7f800000 : 0);
    if (!isSpecial) values[i] = values[i]! * 2 ** 112;
  }
  return values;
}
