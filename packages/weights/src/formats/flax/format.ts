import type { StoredDtype } from '../../tensors/stored-tensor.js';

/**
 * The format of `flax.serialization` (https://github.com/google/flax): msgpack maps, nested like the parameters. Arrays
 * have an extension type, whose content is msgpack too: `[shape, dtype name, bytes]`. An array of more than 2³⁰ bytes
 * is a map `{__msgpack_chunked_array__: true, shape: {"0": …}, chunks: {"0": …}}` of flat arrays.
 */

/** The extension types of Flax. */
export const arrayExtension = 1;
export const scalarExtension = 3;

/** The first key in the map of a split array. */
export const chunkedKey = '__msgpack_chunked_array__';

/** Dtypes by their names in NumPy. */
export const numpyDtypes = {
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
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fnuz: 'F8_E4M3FNUZ',
  float8_e5m2fnuz: 'F8_E5M2FNUZ',
} as const satisfies Record<string, StoredDtype>;
