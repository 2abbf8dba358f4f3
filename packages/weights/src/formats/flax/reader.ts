import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../../errors/checkpoint-error.js';
import { listText } from '../../errors/lists.js';
import { type ByteSource, Cursor } from '../byte-source.js';
import {
  type ByteRange,
  type CheckpointLayout,
  joinName,
  LayoutBuilder,
  maxDepth,
  maxEntries,
  type TensorPlace,
  tensorBytes,
} from '../layout.js';
import { arrayExtension, chunkedKey, numpyDtypes, scalarExtension } from './format.js';

/**
 * Reads the layout of a Flax file, and checks it. Names are the keys of the nested maps, joined by `/`. Numbers, flags
 * and strings become metadata, and `None` is left out.
 *
 * @throws CheckpointError if the file is truncated, inconsistent or hostile.
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
      throw corrupt(
        `${cursor.end - cursor.position} bytes follow the parameters, which end at byte ${cursor.position}`,
      );
    }
    const layout = this.layout.finish(cursor.end);
    if (layout.places.length === 0) {
      throw new CheckpointError('The file is msgpack without an array, so it has no parameters. Download it again.');
    }
    return layout;
  }

  /** Reads the value of any type under `name`. */
  private value(name: string, depth: number): void {
    const { cursor, layout } = this;
    const start = cursor.position;
    const type = this.type(depth);
    const items = this.length(type, lists);
    const entries = this.length(type, maps);
    const extension = this.length(type, extensions);
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
      if (key !== chunkedKey) {
        this.value(joinName(name, '/', key), depth + 1);
      } else if (i === 0 && entries === 3) {
        this.type(depth + 1);
        this.layout.tensor({ name, ...this.chunkedArray(name, depth + 1) });
        return;
      } else {
        throw corrupt(`The key ${chunkedKey} of ${quote(name)} is not the first of three, as Flax writes it`);
      }
    }
  }

  /** Reads the fields `shape` and `chunks` of a split array. */
  private chunkedArray(name: string, depth: number): ArrayPlace {
    const what = `Array ${quote(name)}`;
    let shape: number[] | undefined;
    let chunks: ArrayPlace[] | undefined;
    for (let field = 0; field < 2; field++) {
      const key = this.key();
      if (key === 'shape') shape = this.tuple(what, depth, () => this.size(what));
      else if (key === 'chunks') chunks = this.tuple(what, depth, () => this.chunk(what, depth));
      else throw corrupt(`${what} has a field ${quote(key)} among its chunks`);
    }
    const dtype = chunks?.[0]?.dtype;
    if (shape === undefined || chunks === undefined || dtype === undefined) {
      throw corrupt(`${what} is split but lacks its shape or its chunks`);
    }
    const expected = tensorBytes(dtype, shape, what);
    let bytes = 0;
    const ranges: ByteRange[] = [];
    for (const chunk of chunks) {
      if (chunk.dtype !== dtype) {
        throw corrupt(`${what} has chunks of ${dtype} and of ${chunk.dtype}`);
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
    const length = this.length(type, extensions);
    return length === undefined ? this.refuse(start, type, `a chunk of ${what}`) : this.array(length, what);
  }

  /** Reads a tuple, which Flax writes as a map with the keys "0", "1", … */
  private tuple<T>(what: string, depth: number, item: () => T): T[] {
    const start = this.cursor.position;
    const type = this.type(depth);
    const entries = this.length(type, maps);
    if (entries === undefined) return this.refuse(start, type, `a map of numbers to values in ${what}`);
    const values = new Map<string, T>();
    for (let i = 0; i < entries; i++) values.set(this.key(), item());
    return Array.from({ length: entries }, (_, i) => {
      const value = values.get(String(i));
      if (value !== undefined) return value;
      throw corrupt(`${what} lacks part ${i} of ${entries}`);
    });
  }

  /** Reads the type and the content of an extension of `length` bytes: `[shape, dtype, bytes]`. */
  private array(length: number, what: string): ArrayPlace {
    const { cursor } = this;
    const extension = cursor.view(1).getInt8(0);
    if (extension !== arrayExtension && extension !== scalarExtension) {
      throw new CheckpointError(
        `${what} must have the msgpack extension type ${arrayExtension} (an array) or ${scalarExtension} (a NumPy scalar), not ${extension}. ` +
          'Save complex numbers as two arrays.',
      );
    }
    const end = cursor.position + length;
    const start = cursor.position;
    const type = this.type(0);
    if (this.length(type, lists) !== 3) return this.refuse(start, type, `[shape, dtype, bytes] of ${what}`);
    const shape = this.shape(what);
    const dtypeStart = cursor.position;
    const dtypeType = this.type(0);
    const dtypeLength = this.length(dtypeType, strings) ?? this.length(dtypeType, binaries);
    if (dtypeLength === undefined) return this.refuse(dtypeStart, dtypeType, `the name of the dtype of ${what}`);
    const dtypeName = cursor.text(dtypeLength);
    if (!Object.hasOwn(numpyDtypes, dtypeName)) {
      throw new CheckpointError(
        `${what} must have one of the dtypes ${Object.keys(numpyDtypes).join(', ')}, not ${quote(dtypeName)}. Convert the array to one of them.`,
      );
    }
    const dtype = numpyDtypes[dtypeName as keyof typeof numpyDtypes];
    const dataStart = cursor.position;
    const dataType = this.type(0);
    const size = this.length(dataType, binaries) ?? this.length(dataType, strings);
    if (size === undefined) return this.refuse(dataStart, dataType, `the bytes of ${what}`);
    const expected = tensorBytes(dtype, shape, what);
    if (size !== expected) this.wrongSize(what, size, dtype, shape, expected);
    const begin = cursor.position;
    cursor.skip(size);
    if (cursor.position !== end) {
      throw corrupt(`${what} ends at byte ${cursor.position}, but announces byte ${end} as its end`);
    }
    return { dtype, shape, ranges: [{ begin, end }] };
  }

  private shape(what: string): number[] {
    const start = this.cursor.position;
    const type = this.type(0);
    const axes = this.length(type, lists);
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
    const length = this.length(type, strings);
    return length === undefined ? this.refuse(start, type, 'text as a key') : this.cursor.text(length);
  }

  /** Reads the type byte of the next value. Every value passes here, so the limits apply to all. */
  private type(depth: number): number {
    if (depth > maxDepth) {
      throw new CheckpointError(`The file must have at most ${maxDepth} levels of maps. Flatten the parameters.`);
    }
    if (++this.values > 16 * maxEntries) {
      throw new CheckpointError(`The file must have at most ${16 * maxEntries} values. Split it.`);
    }
    return this.cursor.byte();
  }

  /**
   * Reads the length of a value of this kind, which follows the type. Returns undefined if `type` is of another kind.
   */
  private length(type: number, { fixed, mask, wide }: LengthKind): number | undefined {
    if (fixed !== undefined && (type & ~mask) === fixed) return type & mask;
    const width = wide[type];
    if (width === undefined) return undefined;
    // Extensions of fixed length have no length after the type.
    if (width < 0) return -width;
    const view = this.cursor.view(width);
    return width === 1 ? view.getUint8(0) : width === 2 ? view.getUint16(0) : view.getUint32(0);
  }

  /** Reads a plain value: `null` for nil, undefined for a type that is not plain. Integers past 2⁵³ are bigints. */
  private scalar(type: number): number | bigint | boolean | string | null | undefined {
    const { cursor } = this;
    if (type <= 0x7f) return type;
    if (type >= 0xe0) return type - 0x100;
    const length = this.length(type, strings);
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
    throw corrupt(`${what} has ${size} bytes, but ${dtype} of shape ${listText(shape)} takes ${expected}`);
  }

  private refuse(position: number, type: number, expected: string): never {
    throw new CheckpointError(
      `At byte ${position} there must be ${expected}, not the msgpack type 0x${type.toString(16)}. ` +
        'The file is corrupt, or flax.serialization did not write it. Download it again.',
    );
  }
}

/** How msgpack stores the length of one kind of values. */
interface LengthKind {
  /** The type of short values. Its last bits, those of `mask`, are the length. */
  readonly fixed?: number | undefined;
  readonly mask: number;
  /** Number of bytes of the length, by type; a negative number is the length itself. */
  readonly wide: Readonly<Record<number, number>>;
}

const maps: LengthKind = { fixed: 0x80, mask: 0x0f, wide: { 222: 2, 223: 4 } };
const lists: LengthKind = { fixed: 0x90, mask: 0x0f, wide: { 220: 2, 221: 4 } };
const strings: LengthKind = { fixed: 0xa0, mask: 0x1f, wide: { 217: 1, 218: 2, 219: 4 } };
const binaries: LengthKind = { mask: 0, wide: { 196: 1, 197: 2, 198: 4 } };
const extensions: LengthKind = {
  mask: 0,
  wide: { 212: -1, 213: -2, 214: -4, 215: -8, 216: -16, 199: 1, 200: 2, 201: 4 },
};

function narrow(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
