import type { DType, Shape } from '../tensor.js';

/** The place of values in a file, little-endian and row-major. A runtime maps the file into memory instead of reading it. */
export interface FileRegion {
  readonly folder: string;
  /** The file's name in the folder. */
  readonly file: string;
  /** Offset of the first byte. */
  readonly offset: number;
}

/** Values in memory. */
export type Elements = Float32Array | Int32Array | Uint16Array | Uint8Array | Int8Array;

/** A tensor of a stored parameter: in memory or in a file. */
export type Part<Values extends Elements> = Values | FileRegion;

/** A stored parameter whose parts are all in memory. */
export type InMemory<Value> = { readonly [Key in keyof Value]: Exclude<Value[Key], FileRegion> };

/** The type of a part of a stored parameter: in memory if all of its parts are. */
export type PartIn<Value> = Value extends InMemory<Value> ? Elements : Part<Elements>;

/** The names of the fields of a stored parameter that are its parts. */
type PartField<Value> = {
  [Key in keyof Value]-?: Extract<Value[Key], FileRegion> extends never ? never : Key;
}[keyof Value];

/** A stored parameter without its parts. */
export type Description<Value> = Omit<Value, PartField<Value>>;

/** The layout of a part in a checkpoint file. */
export interface PartLayout {
  /** The suffix that follows the parameter's name in the tensor's name. */
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

/** The names of element types in safetensors. */
export const fileDtypes = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const satisfies Record<DType, string>;

/** Element types of parts. */
export type StoredDType = DType | 'float16' | 'int8' | 'uint8';

/** The element types by their names in safetensors. */
export const storedDtypes: Readonly<Record<PartLayout['dtype'], StoredDType>> = {
  F32: 'float32',
  I32: 'int32',
  F16: 'float16',
  U8: 'uint8',
  I8: 'int8',
  BOOL: 'bool',
};

export const isInMemory = (part: Part<Elements>): part is Elements => ArrayBuffer.isView(part);

/** Returns the number of bytes per element. */
export const bytesPerElement = (dtype: PartLayout['dtype']): number => arrayTypes[dtype].BYTES_PER_ELEMENT;

/** Returns the bytes of elements, which share their memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: Elements): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Returns the elements of a part from its bytes in a file. They share the memory if its alignment allows it. */
export function elementsOf(dtype: PartLayout['dtype'], bytes: Uint8Array): Elements {
  const Type = arrayTypes[dtype];
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / Type.BYTES_PER_ELEMENT);
}
