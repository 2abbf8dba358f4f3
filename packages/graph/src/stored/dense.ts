import type { DType, Shape, TensorData } from '../tensor.js';
import type { StoredKind } from './kind.js';
import { type FileRegion, fileDtypes } from './part.js';

/** A tensor that is not compressed. A `TensorData` is one. */
export interface Dense {
  readonly kind?: 'dense' | undefined;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData['data'] | FileRegion;
}

export const dense: StoredKind<Dense> = {
  find: (name, shape, tensors) => (tensors.has(name) ? { dtype: 'float32', shape } : undefined),
  layout: ({ dtype, shape }) => ({ data: { suffix: '', dtype: fileDtypes[dtype], shape } }),
  decode: ({ data }) => data,
  emit(emitter, name, { dtype, shape, data }) {
    emitter.initializer(name, dtype, shape, data);
    return name;
  },
  lower: (_, { data }) => data,
};
