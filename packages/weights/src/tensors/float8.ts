/** The 8-bit floating-point types (Micikevicius et al. 2022; Noune et al. 2022), by their names in safetensors. */
const formats = {
  F8_E4M3: { exponentBits: 4, bias: 7, finite: true, unsignedZero: false },
  F8_E5M2: { exponentBits: 5, bias: 15, finite: false, unsignedZero: false },
  // Without infinities and negative zero, whose code is the only NaN. The bias is larger by one.
  F8_E4M3FNUZ: { exponentBits: 4, bias: 8, finite: true, unsignedZero: true },
  F8_E5M2FNUZ: { exponentBits: 5, bias: 16, finite: true, unsignedZero: true },
} as const;

export type Float8 = keyof typeof formats;

/** The values of the 256 codes of each type that was used. */
const tables = new Map<Float8, Float32Array>();

/** Converts 8-bit floats to float32, exactly. */
export function float8ToFloat32(bytes: Uint8Array, dtype: Float8): Float32Array {
  let values = tables.get(dtype);
  if (values === undefined) {
    values = Float32Array.from({ length: 256 }, (_, code) => decodeFloat8(code, dtype));
    tables.set(dtype, values);
  }
  const table = values;
  return Float32Array.from(bytes, (code) => table[code]!);
}

function decodeFloat8(code: number, dtype: Float8): number {
  const { exponentBits, bias, finite, unsignedZero } = formats[dtype];
  const mantissaBits = 7 - exponentBits;
  const negative = code >= 0x80;
  const magnitude = code & 0x7f;
  if (unsignedZero) {
    if (code === 0x80) return Number.NaN;
  } else if (finite) {
    if (magnitude === 0x7f) return Number.NaN;
  } else if (magnitude >= 0x7c) {
    if (magnitude > 0x7c) return Number.NaN;
    return negative ? -Infinity : Infinity;
  }
  const exponent = magnitude >> mantissaBits;
  const fraction = (magnitude & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const value = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  return negative ? -value : value;
}
