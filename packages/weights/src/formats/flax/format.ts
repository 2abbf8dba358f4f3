import type { StoredDtype } from '../../tensors/stored-tensor.js';

/**
 * The format of `flax.serialization` (https://github.com/google/flax): msgpack maps, nested as the parameters are, with arrays as
 * an extension type whose content is msgpack again, `[shape, dtype's name, bytes]`. Arrays past 2³⁰ bytes are a map
 * `{__msgpack_chunked_array__: true, shape: {"0": …}, chunks: {"0": …}}` of flat arrays.
 */

/** The extension types of Flax. */
export const ARRAY = 1;
export const SCALAR = 3;

/** The key that Flax writes first in the map of an array that it split. */
export const CHUNKED = '__msgpack_chunked_array__';

/** NumPy's names of the dtypes. */
export const DTYPES = {
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  int16: 'I16',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  float32: 'F32',
  float64: 'F64',
  int64: 'I64',
} as const satisfies Record<string, StoredDtype>;
