import type { DType, Shape } from '../tensor.js';

/** Where values begin in a file, which a runtime maps into memory instead of reading it. They are little-endian and row-major. */
export interface FileRegion {
  readonly folder: string;
  /** The file's name in the folder. */
  readonly file: string;
  /** The first byte. */
  readonly offset: number;
}

/** Values in memory. */
export type Elements = Float32Array | Int32Array | Uint16Array | Uint8Array | Int8Array;

/** A tensor of a stored parameter: in memory or in a file. */
export type Part<Values extends Elements> = Values | FileRegion;

/** A stored parameter whose parts are all in memory. */
export type InMemory<Value> = { readonly [Key in keyof Value]: Exclude<Value[Key], FileRegion> };

/** A part of a stored parameter of this type: in memory, if all of its parts are. */
export type PartIn<Value> = Value extends InMemory<Value> ? Elements : Part<Elements>;

/** The fields of a stored parameter that are its parts. */
type PartField<Value> = {
  [Key in keyof Value]-?: Extract<Value[Key], FileRegion> extends never ? never : Key;
}[keyof Value];

/** A stored parameter without its parts. */
export type Description<Value> = Omit<Value, PartField<Value>>;

/** How a checkpoint file has a part. */
export interface PartLayout {
  /** What follows the parameter's name in the name of the tensor. */
  readonly suffix: string;
  /** Its element type, as safetensors names it. */
  readonly dtype: keyof typeof arrayTypes;
  readonly shape: Shape;
}

/** The layout of each part, by its field. */
export type Layout<Value> = { readonly [Field in PartField<Value>]?: PartLayout };

const arrayTypes = {
  F32: Float32Array,
  I32: Int32Array,
  F16: Uint16Array,
  U8: Uint8Array,
  I8: Int8Array,
  BOOL: Uint8Array,
} as const;

/** The name in safetensors of a tensor's element type. */
export const fileDtypes = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const satisfies Record<DType, string>;

export const isInMemory = (part: Part<Elements>): part is Elements => ArrayBuffer.isView(part);

/** The number of bytes of an element. */
export const bytesPerElement = (dtype: PartLayout['dtype']): number => arrayTypes[dtype].BYTES_PER_ELEMENT;

/** The bytes of elements, which share their memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: Elements): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The elements of a part, from its bytes in a file. They share memory where its alignment allows. */
export function elementsOf(dtype: PartLayout['dtype'], bytes: Uint8Array): Elements {
  const Type = arrayTypes[dtype];
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / Type.BYTES_PER_ELEMENT);
}
