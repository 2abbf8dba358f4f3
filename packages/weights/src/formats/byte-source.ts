import { CheckpointError } from '../errors/checkpoint-error.js';

/** Bytes that are read by range, so that a file's structure can be read without the file. */
export interface ByteSource {
  readonly size: number;
  /** Exactly `length` bytes; the caller has checked that they lie within `size`. May be a view. */
  read(position: number, length: number): Uint8Array;
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return { size: bytes.byteLength, read: (position, length) => bytes.subarray(position, position + length) };
}

/** Bytes fetched at once: the structure comes in small pieces between tensors of megabytes. */
const WINDOW = 2 ** 16;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a source piece by piece from `position` up to `end`; what would reach past `end` is refused before it is reserved. */
export class Cursor {
  private window: Uint8Array = new Uint8Array();
  private windowStart = 0;

  constructor(
    private readonly source: ByteSource,
    public position = 0,
    readonly end = source.size,
  ) {}

  /** The next `length` bytes, a view that stays valid. */
  take(length: number): Uint8Array {
    const start = this.position;
    this.skip(length);
    let offset = start - this.windowStart;
    if (offset < 0 || offset + length > this.window.byteLength) {
      this.window = this.source.read(start, Math.min(Math.max(length, WINDOW), this.end - start));
      this.windowStart = start;
      offset = 0;
    }
    return this.window.subarray(offset, offset + length);
  }

  skip(length: number): void {
    if (length > this.end - this.position) {
      throw new CheckpointError(
        `At byte ${this.position} the file announces ${length} bytes, but only ${this.end - this.position} follow; ` +
          'it is truncated or corrupt. Fetch it again.',
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

  /** UTF-8 text of `length` bytes. */
  text(length: number): string {
    const start = this.position;
    const bytes = this.take(length);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw new CheckpointError(`The text at byte ${start} is not UTF-8; the file is corrupt.`);
    }
  }
}

/**
 * The unsigned 64-bit integer at `offset`.
 * @throws CheckpointError past 2⁵³ − 1, which no size and no position in a file reaches; `what` names it in the message.
 */
export function uint64(view: DataView, offset: number, littleEndian: boolean, what: string): number {
  const value = view.getBigUint64(offset, littleEndian);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new CheckpointError(`${what} is ${value}, more than any file can hold; the file is corrupt.`);
  }
  return Number(value);
}
