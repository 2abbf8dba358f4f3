import { CheckpointError, corrupt } from '../errors/checkpoint-error.js';

/** Bytes that are read by range, so that the structure of a file can be read without its tensors. */
export interface ByteSource {
  readonly size: number;
  /** Returns exactly `length` bytes. The caller checks that they are within `size`. May be a view. */
  read(position: number, length: number): Uint8Array;
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return { size: bytes.byteLength, read: (position, length) => bytes.subarray(position, position + length) };
}

/** Bytes read at once: the structure is in small pieces between tensors of megabytes. */
const windowLength = 2 ** 16;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a source piece by piece from `position` to `end`. A length that reaches past `end` is refused before memory is
 * reserved.
 */
export class Cursor {
  private window: Uint8Array = new Uint8Array();
  private windowStart = 0;

  constructor(
    private readonly source: ByteSource,
    public position = 0,
    readonly end = source.size,
  ) {}

  /** Returns the next `length` bytes, a view that stays valid. */
  take(length: number): Uint8Array {
    const start = this.position;
    this.skip(length);
    let offset = start - this.windowStart;
    if (offset < 0 || offset + length > this.window.byteLength) {
      this.window = this.source.read(start, Math.min(Math.max(length, windowLength), this.end - start));
      this.windowStart = start;
      offset = 0;
    }
    return this.window.subarray(offset, offset + length);
  }

  skip(length: number): void {
    if (length > this.end - this.position) {
      throw new CheckpointError(
        `At byte ${this.position} the file announces ${length} bytes, but only ${this.end - this.position} follow. ` +
          'It is truncated or corrupt. Download it again.',
      );
    }
    this.position += length;
  }

  byte(): number {
    const offset = this.position - this.windowStart;
    if (offset < 0 || offset >= this.window.byteLength || this.position >= this.end) return this.take(1)[0]!;
    this.position++;
    return this.window[offset]!;
  }

  view(length: number): DataView {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** Reads UTF-8 text of `length` bytes. */
  text(length: number): string {
    const start = this.position;
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw corrupt(`The text at byte ${start} is not UTF-8`);
    }
  }
}

/**
 * Reads the unsigned 64-bit integer at `offset`.
 *
 * @param what Names the integer in the message.
 * @throws CheckpointError past 2⁵³ − 1, which no size and no position in a file reaches.
 */
export function uint64(view: DataView, offset: number, littleEndian: boolean, what: string): number {
  const value = view.getBigUint64(offset, littleEndian);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw corrupt(`${what} is ${value}, more than a file can have`);
  }
  return Number(value);
}
