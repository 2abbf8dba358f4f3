/**
 * Conversions between float32 and the two 16-bit floating-point formats: IEEE 754 binary16 (F16: 5 bits of exponent, 10
 * of fraction) and bfloat16 (BF16: the upper half of a float32). Bit patterns are in a Uint16Array.
 */

/** Every F16 as float32, by bit pattern. The table (256 kB) is filled on first use, and saves decoding each element. */
let float16Values: Float32Array | undefined;

/** Converts F16 to float32. */
export function float16ToFloat32(source: Uint16Array): Float32Array {
  float16Values ??= Float32Array.from({ length: 65536 }, (_, bits) => decodeFloat16(bits));
  const result = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) result[i] = float16Values[source[i]!]!;
  return result;
}

/** Converts BF16 to float32. */
export function bfloat16ToFloat32(source: Uint16Array): Float32Array {
  const result = new Float32Array(source.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
  return result;
}

/** Converts float32 to F16. Rounds to nearest, ties to even. */
export function float32ToFloat16(source: Float32Array): Uint16Array {
  const bits = bitsOf(source);
  const result = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    result[i] = sign | encodeFloat16(magnitude, Math.abs(source[i]!));
  }
  return result;
}

/** Converts float32 to BF16. Rounds to nearest, ties to even. */
export function float32ToBfloat16(source: Float32Array): Uint16Array {
  const bits = bitsOf(source);
  const result = new Uint16Array(source.length);
  for (let i = 0; i < source.length; i++) {
    const value = bits[i]!;
    const notANumber = (value & 0x7fffffff) > 0x7f800000;
    // A NaN whose payload is in the lower half would become an infinity: the quiet bit keeps it a NaN.
    result[i] = notANumber ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
  }
  return result;
}

function bitsOf(source: Float32Array): Uint32Array {
  return new Uint32Array(source.buffer, source.byteOffset, source.length);
}

function decodeFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Encodes a float32 `value` ≥ 0, whose bits are `magnitude`. */
function encodeFloat16(magnitude: number, value: number): number {
  if (magnitude > 0x7f800000) return 0x7e00;
  // 65520 is halfway between the largest F16, 65504, and the next power of two: from there on, values round to
  // infinity.
  if (magnitude >= 0x477ff000) return 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal, from 2⁻¹⁴: drop 13 bits of the fraction, and change the bias of the exponent from 127 to 15. A carry of
    // the rounding correctly increases the exponent.
    return (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
  }
  // Subnormal: a multiple of 2⁻²⁴. A double of at least 2⁵² has no fraction bits, so the addition rounds to even.
  return value * 2 ** 24 + 2 ** 52 - 2 ** 52;
}
