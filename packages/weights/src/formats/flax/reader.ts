import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { listText } from '../../errors/lists.js';
import { type ByteSource, Cursor } from '../byte-source.js';
import {
  type ByteRange,
  type CheckpointLayout,
  joinName,
  LayoutBuilder,
  MAX_DEPTH,
  MAX_ENTRIES,
  type TensorPlace,
  tensorBytes,
} from '../layout.js';
import { ARRAY, CHUNKED, DTYPES, SCALAR } from './format.js';

/**
 * Reads and checks where each array of a Flax file lies. Names are the keys of the nested maps, joined by `/`. Plain numbers,
 * flags and strings become metadata, and `None` is left out.
 * @throws CheckpointError if the file is truncated, inconsistent or hostile in any way.
 */
export function flaxLayout(source: ByteSource): CheckpointLayout {
  return new FlaxReader(new Cursor(source)).read();
}

/** An array of the file, without its name. */
type ArrayPlace = Omit<TensorPlace, 'name' | 'strides'>;

class FlaxReader {
  private readonly layout = new LayoutBuilder('flax');
  private values = 0;

  constructor(private readonly cursor: Cursor) {}

  read(): CheckpointLayout {
    const { cursor } = this;
    this.value('', 0);
    if (cursor.position !== cursor.end) {
      throw new CheckpointError(
        `${cursor.end - cursor.position} bytes follow the parameters, which end at byte ${cursor.position}; the file is corrupt.`,
      );
    }
    const layout = this.layout.finish(cursor.end);
    if (layout.places.length === 0) {
      throw new CheckpointError('The file is msgpack without an array; it holds no parameters. Fetch it again.');
    }
    return layout;
  }

  /** Reads what stands under `name`, of whatever type. */
  private value(name: string, depth: number): void {
    const { cursor, layout } = this;
    const start = cursor.position;
    const type = this.type(depth);
    const items = this.length(type, LISTS);
    const entries = this.length(type, MAPS);
    const extension = this.length(type, EXTENSIONS);
    if (items !== undefined) {
      for (let i = 0; i < items; i++) this.value(joinName(name, '/', String(i)), depth + 1);
    } else if (entries !== undefined) {
      this.map(name, entries, depth);
    } else if (extension !== undefined) {
      layout.tensor({ name, ...this.array(extension, `Array ${quote(name)}`) });
    } else {
      const value = this.scalar(type);
      if (value === undefined) this.refuse(start, type, `a map, an array, a number or text under ${quote(name)}`);
      else if (value !== null) layout.text(name, value);
    }
  }

  private map(name: string, entries: number, depth: number): void {
    for (let i = 0; i < entries; i++) {
      const key = this.key();
      if (key !== CHUNKED) {
        this.value(joinName(name, '/', key), depth + 1);
      } else if (i === 0 && entries === 3) {
        this.type(depth + 1);
        this.layout.tensor({ name, ...this.chunkedArray(name, depth + 1) });
        return;
      } else {
        throw new CheckpointError(
          `The key ${CHUNKED} of ${quote(name)} is not the first of three, as Flax writes it; the file is corrupt.`,
        );
      }
    }
  }

  /** The fields `shape` and `chunks` of an array that was split. */
  private chunkedArray(name: string, depth: number): ArrayPlace {
    const what = `Array ${quote(name)}`;
    let shape: number[] | undefined;
    let chunks: ArrayPlace[] | undefined;
    for (let field = 0; field < 2; field++) {
      const key = this.key();
      if (key === 'shape') shape = this.tuple(what, depth, () => this.size(what));
      else if (key === 'chunks') chunks = this.tuple(what, depth, () => this.chunk(what, depth));
      else throw new CheckpointError(`${what} has a field ${quote(key)} among its chunks; the file is corrupt.`);
    }
    const dtype = chunks?.[0]?.dtype;
    if (shape === undefined || chunks === undefined || dtype === undefined) {
      throw new CheckpointError(`${what} is split but lacks its shape or its chunks; the file is corrupt.`);
    }
    const expected = tensorBytes(dtype, shape, what);
    let bytes = 0;
    const ranges: ByteRange[] = [];
    for (const chunk of chunks) {
      if (chunk.dtype !== dtype) {
        throw new CheckpointError(`${what} has chunks of ${dtype} and of ${chunk.dtype}; the file is corrupt.`);
      }
      for (const range of chunk.ranges) {
        bytes += range.end - range.begin;
        ranges.push(range);
      }
    }
    if (bytes !== expected) this.wrongSize(what, bytes, dtype, shape, expected);
    return { dtype, shape, ranges };
  }

  private chunk(what: string, depth: number): ArrayPlace {
    const start = this.cursor.position;
    const type = this.type(depth);
    const length = this.length(type, EXTENSIONS);
    return length === undefined ? this.refuse(start, type, `a chunk of ${what}`) : this.array(length, what);
  }

  /** A tuple as Flax writes it: a map with the keys "0", "1", … */
  private tuple<T>(what: string, depth: number, item: () => T): T[] {
    const start = this.cursor.position;
    const type = this.type(depth);
    const entries = this.length(type, MAPS);
    if (entries === undefined) return this.refuse(start, type, `a map of numbers to values in ${what}`);
    const values = new Map<string, T>();
    for (let i = 0; i < entries; i++) values.set(this.key(), item());
    return Array.from({ length: entries }, (_, i) => {
      const value = values.get(String(i));
      if (value !== undefined) return value;
      throw new CheckpointError(`${what} lacks the number ${i} of ${entries} of its parts; the file is corrupt.`);
    });
  }

  /** The content of an extension of `length` bytes, whose type comes next: `[shape, dtype, bytes]`. */
  private array(length: number, what: string): ArrayPlace {
    const { cursor } = this;
    const extension = cursor.view(1).getInt8(0);
    if (extension !== ARRAY && extension !== SCALAR) {
      throw new CheckpointError(
        `${what} is of the msgpack extension type ${extension}; this reader knows ${ARRAY}, arrays, and ${SCALAR}, NumPy's scalars. ` +
          'Save complex numbers as two arrays.',
      );
    }
    const end = cursor.position + length;
    const start = cursor.position;
    const type = this.type(0);
    if (this.length(type, LISTS) !== 3) return this.refuse(start, type, `[shape, dtype, bytes] of ${what}`);
    const shape = this.shape(what);
    const dtypeStart = cursor.position;
    const dtypeType = this.type(0);
    const dtypeLength = this.length(dtypeType, STRINGS) ?? this.length(dtypeType, BYTES);
    if (dtypeLength === undefined) return this.refuse(dtypeStart, dtypeType, `a dtype's name of ${what}`);
    const dtypeName = cursor.text(dtypeLength);
    if (!Object.hasOwn(DTYPES, dtypeName)) {
      throw new CheckpointError(
        `${what} has dtype ${quote(dtypeName)}; this reader knows ${Object.keys(DTYPES).join(', ')}. Convert it to one of them.`,
      );
    }
    const dtype = DTYPES[dtypeName as keyof typeof DTYPES];
    const dataStart = cursor.position;
    const dataType = this.type(0);
    const size = this.length(dataType, BYTES) ?? this.length(dataType, STRINGS);
    if (size === undefined) return this.refuse(dataStart, dataType, `the bytes of ${what}`);
    const expected = tensorBytes(dtype, shape, what);
    if (size !== expected) this.wrongSize(what, size, dtype, shape, expected);
    const begin = cursor.position;
    cursor.skip(size);
    if (cursor.position !== end) {
      throw new CheckpointError(
        `${what} ends at byte ${cursor.position}, but announces byte ${end} as its end; the file is corrupt.`,
      );
    }
    return { dtype, shape, ranges: [{ begin, end }] };
  }

  private shape(what: string): number[] {
    const start = this.cursor.position;
    const type = this.type(0);
    const axes = this.length(type, LISTS);
    if (axes === undefined) return this.refuse(start, type, `the shape of ${what}`);
    const shape: number[] = [];
    for (let axis = 0; axis < axes; axis++) shape.push(this.size(what));
    return shape;
  }

  private size(what: string): number {
    const start = this.cursor.position;
    const type = this.type(0);
    const size = this.scalar(type);
    return typeof size === 'number' ? size : this.refuse(start, type, `a whole number in the shape of ${what}`);
  }

  private key(): string {
    const start = this.cursor.position;
    const type = this.type(0);
    const length = this.length(type, STRINGS);
    return length === undefined ? this.refuse(start, type, 'text as a key') : this.cursor.text(length);
  }

  /** The byte that says what comes next. Every value passes here, and so the limits hold for all. */
  private type(depth: number): number {
    if (depth > MAX_DEPTH) {
      throw new CheckpointError(
        `The file nests deeper than ${MAX_DEPTH} maps, past the limit; flatten the parameters.`,
      );
    }
    if (++this.values > 16 * MAX_ENTRIES) {
      throw new CheckpointError(`The file has more than ${16 * MAX_ENTRIES} values, past the limit; split it.`);
    }
    return this.cursor.byte();
  }

  /** The length of a value of this kind, or undefined if `type` is of another kind. Lengths follow the type. */
  private length(type: number, { fixed, mask, wide }: LengthKind): number | undefined {
    if (fixed !== undefined && (type & ~mask) === fixed) return type & mask;
    const width = wide[type];
    if (width === undefined) return undefined;
    // The extensions of fixed length have no length after the type.
    if (width < 0) return -width;
    const view = this.cursor.view(width);
    return width === 1 ? view.getUint8(0) : width === 2 ? view.getUint16(0) : view.getUint32(0);
  }

  /** A plain value: `null` for nil, undefined for any other type. Integers past 2⁵³ are bigints. */
  private scalar(type: number): number | bigint | boolean | string | null | undefined {
    const { cursor } = this;
    if (type <= 0x7f) return type;
    if (type >= 0xe0) return type - 0x100;
    const length = this.length(type, STRINGS);
    if (length !== undefined) return cursor.text(length);
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return cursor.view(4).getFloat32(0);
      case 0xcb:
        return cursor.view(8).getFloat64(0);
      case 0xcc:
        return cursor.byte();
      case 0xcd:
        return cursor.view(2).getUint16(0);
      case 0xce:
        return cursor.view(4).getUint32(0);
      case 0xcf:
        return narrow(cursor.view(8).getBigUint64(0));
      case 0xd0:
        return cursor.view(1).getInt8(0);
      case 0xd1:
        return cursor.view(2).getInt16(0);
      case 0xd2:
        return cursor.view(4).getInt32(0);
      case 0xd3:
        return narrow(cursor.view(8).getBigInt64(0));
      default:
        return undefined;
    }
  }

  private wrongSize(what: string, size: number, dtype: string, shape: number[], expected: number): never {
    throw new CheckpointError(
      `${what} holds ${size} bytes, but ${dtype} of shape ${listText(shape)} takes ${expected}; the file is corrupt.`,
    );
  }

  private refuse(position: number, type: number, expected: string): never {
    throw new CheckpointError(
      `At byte ${position} stands the msgpack type 0x${type.toString(16)} where ${expected} was expected; ` +
        'the file is corrupt, or flax.serialization did not write it.',
    );
  }
}

/** How msgpack writes the length of a kind of values. */
interface LengthKind {
  /** The type of short values, whose last bits, those of `mask`, are the length. */
  readonly fixed?: number;
  readonly mask: number;
  /** By type, the bytes that the length takes; negative is a length itself. */
  readonly wide: Readonly<Record<number, number>>;
}

const MAPS: LengthKind = { fixed: 0x80, mask: 0x0f, wide: { 222: 2, 223: 4 } };
const LISTS: LengthKind = { fixed: 0x90, mask: 0x0f, wide: { 220: 2, 221: 4 } };
const STRINGS: LengthKind = { fixed: 0xa0, mask: 0x1f, wide: { 217: 1, 218: 2, 219: 4 } };
const BYTES: LengthKind = { mask: 0, wide: { 196: 1, 197: 2, 198: 4 } };
const EXTENSIONS: LengthKind = {
  mask: 0,
  wide: { 212: -1, 213: -2, 214: -4, 215: -8, 216: -16, 199: 1, 200: 2, 201: 4 },
};

function narrow(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
