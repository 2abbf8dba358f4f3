import { toFloat32 } from '@dalle-mini/weights';
import { dataTypes } from '../onnx/proto.js';
import type { Shape } from '../tensor.js';
import type { StoredKind } from './kind.js';
import { bytesOf, type Part } from './part.js';

/** A tensor in half precision (IEEE 754 binary16). A runtime converts it to float32 before it computes. */
export interface Fp16 {
  readonly kind: 'fp16';
  readonly dtype: 'float32';
  readonly shape: Shape;
  /** The bits of each number. */
  readonly halves: Part<Uint16Array>;
}

export const fp16: StoredKind<Fp16> = {
  find: (name, shape, tensors) =>
    tensors.get(name)?.dtype === 'F16' ? { kind: 'fp16', dtype: 'float32', shape } : undefined,
  layout: ({ shape }) => ({ halves: { suffix: '', dtype: 'F16', shape } }),
  decode: ({ shape, halves }) => toFloat32({ dtype: 'F16', shape, bytes: bytesOf(halves) }),
  emit(emitter, name, { shape, halves }) {
    emitter.initializer(name, 'float16', shape, halves);
    // ONNX Runtime folds operations on initializers when it opens the model.
    return emitter.node('Cast', [name], { to: dataTypes.float32 });
  },
  lower: (emitter, { halves }) => emitter.convert(halves, 'float32'),
};
